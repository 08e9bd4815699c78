"""The core's records: commands of 64 bytes and reports of 128, fixed size, little-endian.

    command  at   reports  at
    kind     0 u8   kind           0 u8
    side     1 u8   code           1 u8
    type     2 u8   side           2 u8
    tif      3 u8   flags          3 u8
    flags    4 u8   instrument     4 u16
    stp      5 u8   type           6 u8
    instr.   6 u16  tif            7 u8
    partic.  8 u32  sequence       8 u64
    spare   12 u32  id            16 16 bytes
    id      16 16   other_id      32 16 bytes
    quantity 32 u64 price         48 u64
    price    40 u64 quantity      56 u64
    at_us    48 u64 left          64 u64
    extra    56 u64 number        72 u64
                    participant   80 u32
                    other         84 u32
                    at_us         88 u64
                    a             96 u128
                    b            112 u128

What each kind puts where is in docs/spec/07-engine-core.md. A field that a kind does not use is zero, or the
record is malformed. The functions here make commands; they check nothing: the core does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.core.codes import (
    CommandKind,
    DebitFlag,
    OrderFlag,
    OrderType,
    Phase,
    ReportKind,
    RulesFlag,
    SelfTrade,
    Side,
    TimeInForce,
)

if TYPE_CHECKING:
    import numpy as np

COMMAND: Final = struct.Struct("<BBBBBBHII16sQQQQ")
TRANSFER: Final = struct.Struct("<BBBBBBHII32s16s")
REPORT: Final = struct.Struct("<BBBBHBBQ16s16sQQQQIIQ16s16s")
COMMAND_BYTES: Final = COMMAND.size
REPORT_BYTES: Final = REPORT.size
NO_ID: Final = bytes(16)

_RULES: Final = struct.Struct("<IIII")


class Command(NamedTuple):
    """One command as its fields stand in the record. For CREDIT and DEBIT see `Transfer`."""

    kind: int
    side: int
    type: int
    tif: int
    flags: int
    stp: int
    instrument: int
    participant: int
    spare: int
    id: bytes
    quantity: int
    price: int
    at_us: int
    extra: int


class Transfer(NamedTuple):
    """A CREDIT or DEBIT read in its own layout: bytes 16 to 47 are its id, 48 to 63 the amount."""

    kind: int
    side: int
    type: int
    tif: int
    flags: int
    stp: int
    instrument: int
    participant: int
    spare: int
    id: bytes
    amount: bytes


class Report(NamedTuple):
    """One report. `a` and `b` are plain numbers here."""

    kind: int
    code: int = 0
    side: int = 0
    flags: int = 0
    instrument: int = 0
    type: int = 0
    tif: int = 0
    sequence: int = 0
    id: bytes = NO_ID
    other_id: bytes = NO_ID
    price: int = 0
    quantity: int = 0
    left: int = 0
    number: int = 0
    participant: int = 0
    other: int = 0
    at_us: int = 0
    a: int = 0
    b: int = 0

    def pack(self) -> bytes:
        """Return its 128 bytes."""
        return REPORT.pack(*self[:17], self.a.to_bytes(16, "little"), self.b.to_bytes(16, "little"))

    @classmethod
    def unpack(cls, record: bytes | memoryview) -> Report:
        """Read 128 bytes."""
        *fields, a, b = REPORT.unpack(record)
        return cls._make([*fields, int.from_bytes(a, "little"), int.from_bytes(b, "little")])

    def __repr__(self) -> str:
        shown = [f"{ReportKind(self.kind).name}"]
        defaults = Report._field_defaults
        for name, value in zip(self._fields[1:], self[1:], strict=True):
            if value != defaults[name]:
                shown.append(f"{name}={value.hex() if isinstance(value, bytes) else value}")
        return f"<{' '.join(shown)}>"


def reports_of(records: bytes) -> Iterator[Report]:
    """Read a run of reports."""
    view = memoryview(records)
    for offset in range(0, len(records), REPORT_BYTES):
        yield Report.unpack(view[offset : offset + REPORT_BYTES])


def command_dtype() -> np.dtype[np.void]:
    """Return the NumPy type of a command; needs NumPy."""
    import numpy as np  # noqa: PLC0415 - NumPy is for whoever analyses; the engine runs without it

    small = [(name, "<u1") for name in ("kind", "side", "type", "tif", "flags", "stp")]
    large = [(name, "<u8") for name in ("quantity", "price", "at_us", "extra")]
    middle = [
        ("instrument", "<u2"),
        ("participant", "<u4"),
        ("spare", "<u4"),
        ("id_low", "<u8"),
        ("id_high", "<u8"),
    ]
    return np.dtype([*small, *middle, *large])


def report_dtype() -> np.dtype[np.void]:
    """Return the NumPy type of a report; 128-bit numbers and ids are two halves each. Needs NumPy."""
    import numpy as np  # noqa: PLC0415

    return np.dtype(
        [
            *((name, "<u1") for name in ("kind", "code", "side", "flags")),
            ("instrument", "<u2"),
            ("type", "<u1"),
            ("tif", "<u1"),
            *(
                (name, "<u8")
                for name in (
                    *("sequence", "id_low", "id_high", "other_low", "other_high"),
                    *("price", "quantity", "left", "number"),
                )
            ),
            ("participant", "<u4"),
            ("other", "<u4"),
            *((name, "<u8") for name in ("at_us", "a_low", "a_high", "b_low", "b_high")),
        ]
    )


# --- making commands ---


def _command(
    kind: CommandKind,
    *,
    side: int = 0,
    type_: int = 0,
    tif: int = 0,
    flags: int = 0,
    stp: int = 0,
    instrument: int = 0,
    participant: int = 0,
    name: bytes = NO_ID,
    quantity: int = 0,
    price: int = 0,
    at_us: int = 0,
    extra: int = 0,
) -> bytes:
    return COMMAND.pack(
        kind, side, type_, tif, flags, stp, instrument, participant, 0, name, quantity, price, at_us, extra
    )


def list_instrument(unit: int, tick: int, lot: int, quantity_max: int, at_us: int = 0) -> bytes:
    """List a unit; LISTED says which instrument it is."""
    name = unit.to_bytes(16, "little")
    return _command(CommandKind.LIST, name=name, quantity=quantity_max, price=tick, extra=lot, at_us=at_us)


def set_rules(
    instrument: int,
    *,
    maker_ppm: int = 0,
    taker_ppm: int = 0,
    fee_participant: int = 0,
    band_ppm: int = 0,
    position_limit: int = 0,
    no_same_day_resale: bool = False,
    at_us: int = 0,
) -> bytes:
    """Set fees, band, position limit and resale of an instrument: all of them, anew."""
    return _command(
        CommandKind.RULES,
        instrument=instrument,
        participant=fee_participant,
        name=_RULES.pack(maker_ppm, taker_ppm, band_ppm, 0),
        quantity=position_limit,
        flags=RulesFlag.NO_SAME_DAY_RESALE * no_same_day_resale,
        at_us=at_us,
    )


def set_reference(instrument: int, price: int, at_us: int = 0) -> bytes:
    """Set the price that the band lies around; 0 takes it away."""
    return _command(CommandKind.REFERENCE, instrument=instrument, price=price, at_us=at_us)


def set_phase(instrument: int, phase: Phase, at_us: int = 0) -> bytes:
    """Open, halt, close an instrument, or gather its orders for an auction."""
    return _command(CommandKind.PHASE, instrument=instrument, type_=phase, at_us=at_us)


def uncross(instrument: int, at_us: int = 0) -> bytes:
    """Trade an auction's orders at one price."""
    return _command(CommandKind.UNCROSS, instrument=instrument, at_us=at_us)


def register(address: bytes, at_us: int = 0) -> bytes:
    """Give a 20-byte address its participant number."""
    low = int.from_bytes(address[16:], "little")
    return _command(CommandKind.REGISTER, name=address[:16], quantity=low, at_us=at_us)


def credit(participant: int, instrument: int, amount: int, transfer_id: bytes) -> bytes:
    """Add cash (instrument 0) or tonnes; `transfer_id` has 32 bytes."""
    return _transfer(CommandKind.CREDIT, participant, instrument, amount, transfer_id, 0)


def debit(
    participant: int, instrument: int, amount: int, transfer_id: bytes, *, up_to: bool = False
) -> bytes:
    """Take cash or tonnes that are available."""
    return _transfer(CommandKind.DEBIT, participant, instrument, amount, transfer_id, DebitFlag.UP_TO * up_to)


def _transfer(
    kind: CommandKind, participant: int, instrument: int, amount: int, transfer_id: bytes, flags: int
) -> bytes:
    amount_bytes = amount.to_bytes(16, "little")
    return TRANSFER.pack(kind, 0, 0, 0, flags, 0, instrument, participant, 0, transfer_id, amount_bytes)


def kill(participant: int, *, on: bool, at_us: int = 0) -> bytes:
    """Cancel all orders of a participant and take no more, or take them again."""
    return _command(CommandKind.KILL, participant=participant, type_=int(on), at_us=at_us)


def advance(at_us: int) -> bytes:
    """Let time pass."""
    return _command(CommandKind.ADVANCE, at_us=at_us)


def day_end(at_us: int) -> bytes:
    """End the trading day."""
    return _command(CommandKind.DAY_END, at_us=at_us)


def new_order(
    order_id: bytes,
    participant: int,
    instrument: int,
    side: Side,
    quantity: int,
    price: int,
    *,
    type_: OrderType = OrderType.LIMIT,
    tif: TimeInForce = TimeInForce.GTC,
    stp: SelfTrade = SelfTrade.CANCEL_TAKER,
    post_only: bool = False,
    display: int = 0,
    stop: int = 0,
    expiry_us: int = 0,
    at_us: int = 0,
) -> bytes:
    """Buy or sell: one record, or two where it has a display quantity, a stop price or an expiry."""
    with_terms = bool(display or stop or expiry_us)
    flags = OrderFlag.POST_ONLY * post_only | OrderFlag.TERMS * with_terms
    order = _command(
        CommandKind.NEW,
        side=side,
        type_=type_,
        tif=tif,
        flags=flags,
        stp=stp,
        instrument=instrument,
        participant=participant,
        name=order_id,
        quantity=quantity,
        price=price,
        at_us=at_us,
    )
    return terms(order_id, display, stop, expiry_us, at_us) + order if with_terms else order


def terms(order_id: bytes, display: int, stop: int, expiry_us: int, at_us: int = 0) -> bytes:
    """Say what does not fit the order's own record, which comes next."""
    return _command(
        CommandKind.TERMS, name=order_id, quantity=display, price=stop, extra=expiry_us, at_us=at_us
    )


def cancel(order_id: bytes, participant: int, at_us: int = 0) -> bytes:
    """Take an order out."""
    return _command(CommandKind.CANCEL, participant=participant, name=order_id, at_us=at_us)


def amend(order_id: bytes, participant: int, quantity: int, price: int = 0, at_us: int = 0) -> bytes:
    """Give an order a new whole quantity, what is filled included, and a new price (0: the same)."""
    return _command(
        CommandKind.AMEND, participant=participant, name=order_id, quantity=quantity, price=price, at_us=at_us
    )


def mass_cancel(participant: int, instrument: int = 0, at_us: int = 0) -> bytes:
    """Take all orders of a participant out, or those of one instrument."""
    return _command(CommandKind.MASS_CANCEL, participant=participant, instrument=instrument, at_us=at_us)


def close_epoch(epoch: int, at_us: int = 0) -> bytes:
    """End the open epoch."""
    return _command(CommandKind.EPOCH, quantity=epoch, at_us=at_us)
