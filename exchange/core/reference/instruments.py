"""Instruments: listing, rules, reference price, phase."""

from __future__ import annotations

import struct
from typing import Final

from exchange.core.codes import (
    INSTRUMENTS_MAX,
    INT63_MAX,
    PPM,
    Phase,
    Reject,
    ReportFlag,
    ReportKind,
    RulesFlag,
)
from exchange.core.records import Command
from exchange.core.reference.orders import instrument_at, participant_at
from exchange.core.reference.state import Fees, Instrument, Rejected, State

_RATES: Final = struct.Struct("<IIII")


def list_instrument(state: State, command: Command) -> None:
    """Number a new unit, or say the number of one listed on the same terms.

    One that is closed and has no open order can be listed anew on others.
    """
    lot, tick, most = command.extra, command.price, command.quantity
    known = state.units.get(command.id)
    repeated = False
    fits = 0 < lot <= most <= INT63_MAX and 0 < tick <= INT63_MAX
    if known is None:
        if not fits:
            raise Rejected(Reject.INSTRUMENT_INVALID, lot, most)
        if len(state.instruments) == INSTRUMENTS_MAX:
            raise Rejected(Reject.INSTRUMENTS_FULL, len(state.instruments))
        number = len(state.instruments) + 1
        state.instruments.append(Instrument(number, command.id, tick, lot, most))
        state.units[command.id] = number
    else:
        number = known
        listed = state.instruments[number - 1]
        repeated = (listed.tick, listed.lot, listed.quantity_max) == (tick, lot, most)
        if not repeated:
            if not fits or listed.phase != Phase.CLOSED or not listed.is_idle():
                raise Rejected(Reject.INSTRUMENT_DIFFERS, number)
            listed.tick, listed.lot, listed.quantity_max = tick, lot, most
    state.tell(
        ReportKind.LISTED,
        instrument=number,
        flags=ReportFlag.REPEATED if repeated else 0,
        id=command.id,
        price=tick,
        quantity=most,
        left=lot,
    )


def set_rules(state: State, command: Command) -> None:
    """Set fees, band, position limit and resale. Orders keep the fees of their entry."""
    maker_ppm, taker_ppm, band_ppm, _ = _RATES.unpack(command.id)
    if command.participant:
        participant_at(state, command.participant)
    instrument = instrument_at(state, command.instrument)
    fees = Fees(maker_ppm, taker_ppm, command.participant)
    if fees.larger_ppm > PPM or (fees.larger_ppm and not fees.collector):
        raise Rejected(Reject.FEES_INVALID, maker_ppm, taker_ppm)
    if fees not in state.fees:
        state.fees.append(fees)
    instrument.fees = state.fees.index(fees)
    instrument.band_ppm = band_ppm
    instrument.position_limit = command.quantity
    instrument.bars_resale = bool(command.flags & RulesFlag.NO_SAME_DAY_RESALE)
    state.tell(
        ReportKind.RULES_SET,
        instrument=instrument.number,
        participant=fees.collector,
        a=maker_ppm,
        b=taker_ppm,
    )


def set_reference(state: State, command: Command) -> None:
    """Set the price that the band lies around."""
    instrument = instrument_at(state, command.instrument)
    if command.price > INT63_MAX:
        raise Rejected(Reject.PRICE_OUT_OF_RANGE, command.price, INT63_MAX)
    instrument.reference = command.price
    state.tell(ReportKind.REFERENCE_SET, instrument=instrument.number, price=command.price)


def set_phase(state: State, command: Command) -> None:
    """Open, halt, close, or gather for an auction. A crossed book has to be uncrossed before it opens."""
    instrument = instrument_at(state, command.instrument)
    if command.type == Phase.CONTINUOUS and instrument.book.is_crossed():
        bid, ask = instrument.book.bids.best(), instrument.book.asks.best()
        assert bid is not None
        assert ask is not None
        raise Rejected(Reject.BOOK_CROSSED, bid.price, ask.price)
    instrument.phase = command.type
    state.tell(ReportKind.PHASE_SET, instrument=instrument.number, code=command.type)
