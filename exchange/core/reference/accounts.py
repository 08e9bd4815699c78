"""Participants, and what comes in and goes out; epochs."""

from __future__ import annotations

from exchange.core.codes import (
    AMOUNT_MAX,
    CASH,
    PARTICIPANTS_MAX,
    CommandKind,
    DebitFlag,
    Reject,
    ReportFlag,
    ReportKind,
)
from exchange.core.records import Command
from exchange.core.records import Transfer as TransferRecord
from exchange.core.reference import risk
from exchange.core.reference.orders import instrument_at, participant_at
from exchange.core.reference.state import Epoch, Participant, Rejected, State, Transfer


def register(state: State, command: Command) -> None:
    """Number an address, or say its number again."""
    address = command.id + command.quantity.to_bytes(4, "little")
    known = state.addresses.get(address)
    number = known or len(state.participants) + 1
    if known is None:
        if len(state.participants) == PARTICIPANTS_MAX:
            raise Rejected(Reject.PARTICIPANTS_FULL, len(state.participants))
        state.participants.append(Participant(number, address))
        state.addresses[address] = number
    state.tell(
        ReportKind.REGISTERED,
        flags=ReportFlag.REPEATED if known else 0,
        participant=number,
        id=address[:16],
        other_id=address[16:] + bytes(12),
    )


def transfer(state: State, command: TransferRecord) -> None:
    """Credit or debit once."""
    asked = int.from_bytes(command.amount, "little")
    key = command.participant, command.id
    known = state.transfers.get(key)
    if known is None:
        do = _credit if command.kind == CommandKind.CREDIT else _debit
        done = do(state, command, asked)
        state.transfers[key] = done
    else:
        content = known.kind, known.flags, known.instrument, known.asked
        if content != (command.kind, command.flags, command.instrument, asked):
            raise Rejected(Reject.ID_REUSED)
        done = known
    state.tell(
        ReportKind.CREDITED if done.kind == CommandKind.CREDIT else ReportKind.DEBITED,
        flags=ReportFlag.REPEATED if known else 0,
        participant=done.participant,
        instrument=done.instrument,
        id=done.id[:16],
        other_id=done.id[16:],
        a=done.moved,
        b=done.asked,
    )


def _credit(state: State, command: TransferRecord, asked: int) -> Transfer:
    _require_asset(state, command)
    held = state.held(command.instrument)
    if not 0 < asked <= AMOUNT_MAX - held:
        raise Rejected(Reject.AMOUNT_OUT_OF_RANGE, held, asked)
    _add(state, command, asked)
    return _done(command, asked, asked)


def _debit(state: State, command: TransferRecord, asked: int) -> Transfer:
    _require_asset(state, command)
    if not 0 < asked <= AMOUNT_MAX:
        raise Rejected(Reject.AMOUNT_OUT_OF_RANGE, state.held(command.instrument), asked)
    if command.flags & DebitFlag.UP_TO:
        moved = min(asked, _available(state, command, bars_resale=False))
    else:
        moved = asked
        available = _available(state, command, bars_resale=True)
        if available < asked:
            lack = Reject.INSUFFICIENT_CASH if command.instrument == CASH else Reject.INSUFFICIENT_UNITS
            raise Rejected(lack, available, asked)
    _add(state, command, -moved)
    return _done(command, asked, moved)


def _require_asset(state: State, command: TransferRecord) -> None:
    participant_at(state, command.participant)
    if command.instrument != CASH:
        instrument_at(state, command.instrument)


def _available(state: State, command: TransferRecord, *, bars_resale: bool) -> int:
    if command.instrument == CASH:
        return state.participants[command.participant - 1].available
    if bars_resale:
        return risk.tradable(state, command.participant, state.instruments[command.instrument - 1])
    return state.position(command.participant, command.instrument).available


def _add(state: State, command: TransferRecord, amount: int) -> None:
    if command.instrument == CASH:
        state.participants[command.participant - 1].available += amount
        state.cash_total += amount
    else:
        state.position(command.participant, command.instrument).available += amount
        state.instruments[command.instrument - 1].total += amount


def _done(command: TransferRecord, asked: int, moved: int) -> Transfer:
    return Transfer(
        command.id, command.participant, command.instrument, command.kind, command.flags, asked, moved
    )


def close_epoch(state: State, command: Command) -> None:
    """End the open epoch, or say again how one ended."""
    number = command.quantity
    if not 0 < number <= state.open_epoch:
        raise Rejected(Reject.EPOCH_OUT_OF_ORDER, number, state.open_epoch)
    repeated = number < state.open_epoch
    if not repeated:
        first, trades = state.committed + 1, state.trades - state.committed
        if not trades:
            raise Rejected(Reject.EPOCH_EMPTY, number)
        state.epochs.append(Epoch(first, trades))
    epoch = state.epochs[number - 1]
    state.tell(
        ReportKind.EPOCH_CLOSED,
        flags=ReportFlag.REPEATED if repeated else 0,
        number=number,
        quantity=epoch.trades,
        left=epoch.first,
    )
