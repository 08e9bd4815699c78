"""Commands as bytes: the first byte names the kind, the rest is a fixed layout, big-endian.

    kind                     fields after the kind byte
    1  ListInstrument        unit u128, tick_fen u64, lot_t u64, quantity_max_t u64
    2  Credit                deposit_id 32, account 20, asset u128, amount u128
    3  PlaceOrder            order_id 16, account 20, unit u128, side u8, kind u8, quantity_t u64,
                             price_fen u64, at_us u64
    4  CancelOrder           order_id 16, account 20, at_us u64
    5  RequestWithdrawal     withdrawal_id 16, account 20, asset u128, amount u128, at_us u64
    6  CloseEpoch            epoch u64, at_us u64
    7  EpochSettled          epoch u64, tape_root 32, block u64, tx_hash 32
    8  WithdrawalReleased    withdrawal_id 16, block u64, tx_hash 32
    9  ChainCursor           block u64
    10 AccountExited         tx_hash 32, log_index u32, account 20, asset u128, amount u128
    11 ReduceOrder           order_id 16, account 20, quantity_t u64, at_us u64

One kind has one length, so a run of records is read without separators. A layout never changes; a new one
gets a new kind.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any, Final

from exchange.commands import (
    AccountExited,
    CancelOrder,
    ChainCursor,
    CloseEpoch,
    Command,
    Credit,
    EpochSettled,
    ListInstrument,
    OrderKind,
    PlaceOrder,
    ReduceOrder,
    RequestWithdrawal,
    Side,
    WithdrawalReleased,
)


class RecordMalformed(ValueError):
    """These bytes are no run of records."""


_LIST: Final = struct.Struct(">B16sQQQ")
_CREDIT: Final = struct.Struct(">B32s20s16s16s")
_PLACE: Final = struct.Struct(">B16s20s16sBBQQQ")
_CANCEL: Final = struct.Struct(">B16s20sQ")
_WITHDRAW: Final = struct.Struct(">B16s20s16s16sQ")
_CLOSE: Final = struct.Struct(">BQQ")
_SETTLED: Final = struct.Struct(">BQ32sQ32s")
_RELEASED: Final = struct.Struct(">B16sQ32s")
_CURSOR: Final = struct.Struct(">BQ")
_EXITED: Final = struct.Struct(">B32sI20s16s16s")
_REDUCE: Final = struct.Struct(">B16s20sQQ")

_SIDES: Final = {int(side): side for side in Side}
_KINDS: Final = {int(kind): kind for kind in OrderKind}


def encode(command: Command) -> bytes:
    """Return the record of one command.

    Raises
    ------
    RecordMalformed :
        A number does not fit its field. Whoever takes commands from outside looks before.
    """
    try:
        return _ENCODERS[type(command)](command)
    except (struct.error, OverflowError) as error:
        raise RecordMalformed(f"{command}: {error}") from error


def decode_all(payload: bytes) -> list[Command]:
    """Return the commands of a run of records; raises RecordMalformed."""
    commands: list[Command] = []
    offset, end = 0, len(payload)
    try:
        while offset < end:
            layout, make = _DECODERS[payload[offset]]
            commands.append(make(*layout.unpack_from(payload, offset)[1:]))
            offset += layout.size
    except (struct.error, KeyError, ValueError) as error:
        raise RecordMalformed(f"record at byte {offset}: {error}") from error
    return commands


def encode_all(commands: Iterable[Command]) -> bytes:
    """Return the run of records of many commands; raises RecordMalformed."""
    return b"".join([encode(command) for command in commands])


def _number(field: bytes) -> int:
    return int.from_bytes(field, "big")


def _encode_place(c: PlaceOrder) -> bytes:
    unit = c.unit.to_bytes(16, "big")
    return _PLACE.pack(3, c.order_id, c.account, unit, c.side, c.kind, c.quantity_t, c.price_fen, c.at_us)


def _encode_credit(c: Credit) -> bytes:
    return _CREDIT.pack(2, c.deposit_id, c.account, c.asset.to_bytes(16, "big"), c.amount.to_bytes(16, "big"))


def _encode_withdraw(c: RequestWithdrawal) -> bytes:
    asset, amount = c.asset.to_bytes(16, "big"), c.amount.to_bytes(16, "big")
    return _WITHDRAW.pack(5, c.withdrawal_id, c.account, asset, amount, c.at_us)


def _encode_exited(c: AccountExited) -> bytes:
    asset, amount = c.asset.to_bytes(16, "big"), c.amount.to_bytes(16, "big")
    return _EXITED.pack(10, c.tx_hash, c.log_index, c.account, asset, amount)


_ENCODERS: Final[dict[type, Callable[[Any], bytes]]] = {
    ListInstrument: lambda c: _LIST.pack(
        1, c.unit.to_bytes(16, "big"), c.tick_fen, c.lot_t, c.quantity_max_t
    ),
    Credit: _encode_credit,
    PlaceOrder: _encode_place,
    CancelOrder: lambda c: _CANCEL.pack(4, c.order_id, c.account, c.at_us),
    RequestWithdrawal: _encode_withdraw,
    CloseEpoch: lambda c: _CLOSE.pack(6, c.epoch, c.at_us),
    EpochSettled: lambda c: _SETTLED.pack(7, c.epoch, c.tape_root, c.block, c.tx_hash),
    WithdrawalReleased: lambda c: _RELEASED.pack(8, c.withdrawal_id, c.block, c.tx_hash),
    ChainCursor: lambda c: _CURSOR.pack(9, c.block),
    AccountExited: _encode_exited,
    ReduceOrder: lambda c: _REDUCE.pack(11, c.order_id, c.account, c.quantity_t, c.at_us),
}

_DECODERS: Final[dict[int, tuple[struct.Struct, Callable[..., Command]]]] = {
    1: (_LIST, lambda unit, *rest: ListInstrument(_number(unit), *rest)),
    2: (
        _CREDIT,
        lambda deposit_id, account, asset, amount: Credit(
            deposit_id, account, _number(asset), _number(amount)
        ),
    ),
    3: (
        _PLACE,
        lambda order_id, account, unit, side, kind, *rest: PlaceOrder(
            order_id, account, _number(unit), _SIDES[side], _KINDS[kind], *rest
        ),
    ),
    4: (_CANCEL, CancelOrder),
    5: (
        _WITHDRAW,
        lambda withdrawal_id, account, asset, amount, at_us: RequestWithdrawal(
            withdrawal_id, account, _number(asset), _number(amount), at_us
        ),
    ),
    6: (_CLOSE, CloseEpoch),
    7: (_SETTLED, EpochSettled),
    8: (_RELEASED, WithdrawalReleased),
    9: (_CURSOR, ChainCursor),
    10: (
        _EXITED,
        lambda tx_hash, log_index, account, asset, amount: AccountExited(
            tx_hash, log_index, account, _number(asset), _number(amount)
        ),
    ),
    11: (_REDUCE, ReduceOrder),
}
