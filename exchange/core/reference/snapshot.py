"""The canonical bytes of the state, little-endian: two engines in the same state give the same bytes.

header        magic "CARATS01", then the counters of `_HEAD`
participants  by number
instruments   by number
fees          by index
positions     that are not empty, by (participant, instrument)
epochs        by number
transfers     as they came
orders        as they were accepted: every id that is remembered
open          for each instrument: numbers of bids, asks and waiting stops, then bids and asks best first and
              in time order, then the stops as they were accepted
terms         what is staged, if anything
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

from exchange.core.codes import Side, Status, TimeInForce
from exchange.core.reference.state import (
    Epoch,
    Fees,
    Instrument,
    Order,
    Participant,
    Position,
    State,
    Terms,
    Transfer,
)

MAGIC: Final = b"CARATS01"
_HEAD: Final = struct.Struct("<8sQQQQQQQIIIII16s")
_PARTICIPANT: Final = struct.Struct("<20sI16s16s")
_INSTRUMENT: Final = struct.Struct("<16sQQQQQQIIBB6x16s")
_FEES: Final = struct.Struct("<IIII")
_POSITION: Final = struct.Struct("<II16s16s16s16s")
_EPOCH: Final = struct.Struct("<QQ")
_TRANSFER: Final = struct.Struct("<32sIHBB16s16s")
_ORDER: Final = struct.Struct("<16sQQQQIIHBBBBBBBB6x")
_COUNTS: Final = struct.Struct("<QQQ")
_OPEN: Final = struct.Struct("<16sQQQQQIB3x")
_TERMS: Final = struct.Struct("<16sQQQ")


def dump(state: State) -> bytes:
    """Return the canonical bytes."""
    return b"".join(_parts(state))


def _parts(state: State) -> Iterator[bytes]:
    positions = sorted((key, each) for key, each in state.positions.items() if not each.is_empty())
    yield _HEAD.pack(
        MAGIC,
        state.sequence,
        state.now_us,
        state.trades,
        len(state.epochs),
        len(positions),
        len(state.transfers),
        len(state.orders),
        state.day,
        len(state.participants),
        len(state.instruments),
        len(state.fees),
        int(state.staged is not None),
        _wide(state.cash_total),
    )
    for who in state.participants:
        yield _PARTICIPANT.pack(who.address, who.killed, _wide(who.available), _wide(who.reserved))
    yield from (_instrument(instrument) for instrument in state.instruments)
    for fees in state.fees:
        yield _FEES.pack(fees.maker_ppm, fees.taker_ppm, fees.collector, 0)
    for (participant, number), each in positions:
        amounts = (each.available, each.reserved, each.bought, each.open_buys)
        yield _POSITION.pack(participant, number, *map(_wide, amounts))
    for epoch in state.epochs:
        yield _EPOCH.pack(epoch.first, epoch.trades)
    for done in state.transfers.values():
        where = done.participant, done.instrument, done.kind, done.flags
        yield _TRANSFER.pack(done.id, *where, _wide(done.asked), _wide(done.moved))
    yield from (_order(order) for order in state.orders.values())
    for instrument in state.instruments:
        yield from _open(instrument)
    if state.staged is not None:
        terms = state.staged
        yield _TERMS.pack(terms.id, terms.display, terms.stop, terms.expiry_us)


def _wide(number: int) -> bytes:
    return number.to_bytes(16, "little")


def _number(wide: bytes) -> int:
    return int.from_bytes(wide, "little")


def _instrument(each: Instrument) -> bytes:
    sizes = each.tick, each.lot, each.quantity_max, each.position_limit, each.reference, each.last
    rules = each.fees, each.band_ppm, each.phase, each.bars_resale
    return _INSTRUMENT.pack(each.unit, *sizes, *rules, _wide(each.total))


def _order(each: Order) -> bytes:
    counts = each.digest, each.quantity, each.filled, each.entry_filled
    where = each.participant, each.closed_day, each.instrument
    states = each.status, each.reason, each.entry_status, each.entry_reason
    kinds = each.side, each.type, each.tif, each.flags
    return _ORDER.pack(each.id, *counts, *where, *states, *kinds)


def _open(instrument: Instrument) -> Iterator[bytes]:
    bids, asks = (
        [order for level in side.from_best() for order in level.orders.values()]
        for side in (instrument.book.bids, instrument.book.asks)
    )
    yield _COUNTS.pack(len(bids), len(asks), len(instrument.parked))
    for order in (*bids, *asks, *instrument.parked.values()):
        sizes = order.price, order.shown, order.display, order.stop, order.expiry_us
        yield _OPEN.pack(order.id, *sizes, order.fees, order.stp)


class _Reader:
    """Takes fields off the front."""

    def __init__(self, snapshot: bytes) -> None:
        self._snapshot, self._at = snapshot, 0

    def take(self, layout: struct.Struct) -> tuple[Any, ...]:
        try:
            fields = layout.unpack_from(self._snapshot, self._at)
        except struct.error as error:
            raise ValueError(f"the snapshot ends at byte {len(self._snapshot)}") from error
        self._at += layout.size
        return fields

    def end(self) -> None:
        if self._at != len(self._snapshot):
            raise ValueError(f"{len(self._snapshot) - self._at} bytes after the snapshot's end")


def load(snapshot: bytes) -> State:
    """Return the state of a snapshot; ValueError on a wrong shape. Its integrity is for whoever stored it."""
    reader = _Reader(snapshot)
    magic, *head, cash_total = reader.take(_HEAD)
    if magic != MAGIC:
        raise ValueError(f"no snapshot of this kind: it begins with {magic!r}")
    (
        sequence,
        now_us,
        trades,
        epochs,
        positions,
        transfers,
        orders,
        day,
        participants,
        instruments,
        fees,
        staged,
    ) = head
    state = State(sequence, now_us, day, trades, cash_total=_number(cash_total))
    for number in range(1, participants + 1):
        _load_participant(state, reader, number)
    for number in range(1, instruments + 1):
        _load_instrument(state, reader, number)
    state.fees = [Fees(*reader.take(_FEES)[:3]) for _ in range(fees)]
    for _ in range(positions):
        participant, number, *amounts = reader.take(_POSITION)
        state.positions[participant, number] = Position(*map(_number, amounts))
    state.epochs = [Epoch(*reader.take(_EPOCH)) for _ in range(epochs)]
    for _ in range(transfers):
        name, who, what, kind, flags, asked, moved = reader.take(_TRANSFER)
        done = Transfer(name, who, what, kind, flags, _number(asked), _number(moved))
        state.transfers[done.participant, done.id] = done
    for _ in range(orders):
        _load_order(state, reader)
    for instrument in state.instruments:
        _load_open(state, instrument, reader)
    for order in state.orders.values():
        if order.status in (Status.OPEN, Status.PARKED):
            state.open[order.id] = order
            if order.tif == TimeInForce.GTD:
                state.dated[order.id] = order
    if staged:
        state.staged = Terms(*reader.take(_TERMS))
    reader.end()
    return state


def _load_participant(state: State, reader: _Reader, number: int) -> None:
    address, killed, available, reserved = reader.take(_PARTICIPANT)
    who = Participant(number, address, bool(killed), _number(available), _number(reserved))
    state.participants.append(who)
    state.addresses[who.address] = number


def _load_instrument(state: State, reader: _Reader, number: int) -> None:
    unit, tick, lot, most, limit, reference, last, fees, band, phase, bars, total = reader.take(_INSTRUMENT)
    state.instruments.append(
        Instrument(
            number,
            unit,
            *(tick, lot, most),
            fees=fees,
            band_ppm=band,
            position_limit=limit,
            bars_resale=bool(bars),
            reference=reference,
            phase=phase,
            last=last,
            total=_number(total),
        )
    )
    state.units[unit] = number


def _load_order(state: State, reader: _Reader) -> None:
    fields = reader.take(_ORDER)
    name, digest, quantity, filled, entry_filled, who, closed, what = fields[:8]
    status, reason, entry_status, entry_reason, side, type_, tif, flags = fields[8:]
    order = Order(
        *(name, digest, state.accepted, who, what, side, type_, tif, flags),
        stp=0,
        quantity=quantity,
        price=0,
        fees=0,
        filled=filled,
        status=status,
        reason=reason,
        entry_status=entry_status,
        entry_reason=entry_reason,
        entry_filled=entry_filled,
        closed_day=closed,
    )
    state.accepted += 1
    state.orders[order.id] = order


def _load_open(state: State, instrument: Instrument, reader: _Reader) -> None:
    bids, asks, parked = reader.take(_COUNTS)
    for number in range(bids + asks + parked):
        name, price, shown, display, stop, expiry_us, fees, stp = reader.take(_OPEN)
        order = state.orders[name]
        order.price, order.shown, order.display = price, shown, display
        order.stop, order.expiry_us, order.fees, order.stp = stop, expiry_us, fees, stp
        if number < bids + asks:
            instrument.book.own(Side.BUY if number < bids else Side.SELL).add(order)
        else:
            instrument.parked[order.id] = order
