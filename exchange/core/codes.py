"""The numbers in the core's records, by name. A number never changes its meaning."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

INT63_MAX: Final = 2**63 - 1
"""Most tonnes of an order, most fen a tonne, and the latest time, in microseconds since 1970 UTC."""

AMOUNT_MAX: Final = 2**127 - 1
"""Most of one asset that the engine holds for all participants together."""

PPM: Final = 1_000_000
"""Parts per million: fees and bands are counted in them."""

PARTS_MAX: Final = 1_000
"""Most parts that an iceberg shows one after the other: so that no command makes trades without end."""

INSTRUMENTS_MAX: Final = 2**16 - 1
PARTICIPANTS_MAX: Final = 2**31 - 1

CASH: Final = 0
"""In place of an instrument: money, in fen. Instruments count from 1."""


class CommandKind(IntEnum):
    """What a command asks for. Kinds from `CARRIED_FIRST` on are not for the core, which passes over them."""

    LIST = 1
    RULES = 2
    REFERENCE = 3
    PHASE = 4
    UNCROSS = 5
    REGISTER = 6
    CREDIT = 7
    DEBIT = 8
    KILL = 9
    ADVANCE = 10
    DAY_END = 11
    TERMS = 12
    NEW = 13
    CANCEL = 14
    AMEND = 15
    MASS_CANCEL = 16
    EPOCH = 17


CARRIED_FIRST: Final = 128


class ReportKind(IntEnum):
    """What happened."""

    ACCEPTED = 1
    RESTED = 2
    TRADE = 3
    FILLED = 4
    CANCELLED = 5
    AMENDED = 6
    EXPIRED = 7
    TRIGGERED = 8
    REPLENISHED = 9
    REJECTED = 10
    DUPLICATE = 11
    LISTED = 12
    RULES_SET = 13
    REFERENCE_SET = 14
    PHASE_SET = 15
    UNCROSSED = 16
    REGISTERED = 17
    CREDITED = 18
    DEBITED = 19
    KILL_SET = 20
    ADVANCED = 21
    DAY_ENDED = 22
    TERMS_STAGED = 23
    MASS_CANCELLED = 24
    EPOCH_CLOSED = 25
    REDUCED = 26


class Side(IntEnum):
    """Which side of the book."""

    BUY = 1
    SELL = 2


class OrderType(IntEnum):
    """How an order meets the book."""

    LIMIT = 1
    MARKET = 2
    STOP = 3
    """A market order that waits for a trade at its stop price or beyond."""
    STOP_LIMIT = 4


class TimeInForce(IntEnum):
    """How long it stays."""

    GTC = 1
    """Until it is cancelled."""
    DAY = 2
    GTD = 3
    """Until the time in its terms."""
    IOC = 4
    """Takes what is there; the rest is cancelled."""
    FOK = 5
    """Takes all of it at once, or is rejected."""


class OrderFlag(IntFlag):
    """Marks of a new order."""

    POST_ONLY = 1
    """Is rejected rather than take from the book."""
    TERMS = 2
    """The TERMS command just before carries its display quantity, stop price and expiry."""


class SelfTrade(IntEnum):
    """What happens when an order meets one of its own participant: the incoming order says it."""

    CANCEL_TAKER = 0
    CANCEL_MAKER = 1
    CANCEL_BOTH = 2
    DECREMENT = 3
    """Both shrink by the smaller one, which goes."""


class Phase(IntEnum):
    """Whether an instrument trades."""

    CONTINUOUS = 1
    HALTED = 2
    AUCTION = 3
    """Orders gather without trading until UNCROSS."""
    CLOSED = 4


class Status(IntEnum):
    """Where an order stands."""

    OPEN = 1
    """In the book."""
    PARKED = 2
    """A stop that was not triggered yet."""
    FILLED = 3
    CANCELLED = 4
    EXPIRED = 5


class Reason(IntEnum):
    """Why what was left of an order left the market."""

    NONE = 0
    CLIENT = 1
    UNFILLED = 2
    """A market or immediate order found no more within its limit."""
    CASH_EXHAUSTED = 3
    """A market purchase had no cash for the next lot."""
    SELF_TRADE = 4
    MASS = 5
    KILLED = 6
    LEVEL_FULL = 7
    """A triggered stop could not rest: its price level holds all that a level can."""
    DAY = 8
    DATE = 9


class ReportFlag(IntFlag):
    """Marks of a report."""

    REPEATED = 1
    """This was done before; nothing changed now."""
    AUCTION = 2
    """A trade of an uncrossing: both sides pay the maker's fee."""
    KEPT_PRIORITY = 4


class RulesFlag(IntFlag):
    """Marks of an instrument's rules."""

    NO_SAME_DAY_RESALE = 1


class DebitFlag(IntFlag):
    """Marks of a debit."""

    UP_TO = 1
    """Takes what is available where that is less: the chain has paid it out already."""


class Reject(IntEnum):
    """Why a command was not done. It changed nothing. `a` and `b` are the report's two numbers.

    In the order in which they are looked for; the first that applies is reported.
    """

    MALFORMED = 1
    """A field holds what its kind does not allow. a: its byte offset, b: what it holds (low 64 bits)."""
    UNKNOWN_KIND = 2
    """a: the kind."""
    TERMS_MISMATCH = 3
    """Flag and TERMS do not go together, or the terms are not what the type needs. a: `TermsFault`."""
    ID_REUSED = 4
    """The id stands for another order (a: its status), or for another transfer (a: 0)."""
    UNKNOWN_PARTICIPANT = 5
    """a: the participant, b: how many there are."""
    UNKNOWN_INSTRUMENT = 6
    """a: the instrument, b: how many there are."""
    ORDER_UNKNOWN = 7
    ORDER_NOT_OPEN = 8
    """a: its status, b: what of it was filled."""
    STOP_NOT_AMENDABLE = 9
    """An untriggered stop is cancelled and sent anew."""
    PARTICIPANT_KILLED = 10
    """a: the participant."""
    PHASE_FORBIDS = 11
    """a: the phase."""
    QUANTITY_OUT_OF_RANGE = 12
    """a: the quantity, b: the most."""
    WRONG_LOT = 13
    """a: the quantity, b: the lot."""
    AMEND_FILLED = 14
    """a: what is filled already, b: the quantity asked for."""
    DISPLAY_OUT_OF_RANGE = 15
    """Above the order, no whole lots, or below a thousandth. a: the display quantity, b: the order's."""
    PRICE_OUT_OF_RANGE = 16
    """a: the price, b: the most."""
    WRONG_TICK = 17
    """a: the price, b: the tick."""
    EXPIRY_PASSED = 18
    """a: the expiry, b: the time."""
    PRICE_BAND = 19
    """a: the lowest price allowed, b: the highest."""
    LEVEL_FULL = 20
    """a: what the level shows, b: the quantity."""
    POSITION_LIMIT = 21
    """a: what the participant could come to hold, b: the limit."""
    INSUFFICIENT_CASH = 22
    """a: available, b: needed, fen."""
    INSUFFICIENT_UNITS = 23
    """a: available, b: needed, tonnes; bought today is not available where resale is barred."""
    POST_ONLY_WOULD_TRADE = 24
    """a: the best opposite price."""
    FOK_UNFILLABLE = 25
    """a: what could be filled, b: the quantity."""
    AMOUNT_OUT_OF_RANGE = 26
    """a: what the engine holds of the asset, b: the amount."""
    INSTRUMENT_INVALID = 27
    """a: the lot, b: the largest order."""
    INSTRUMENT_DIFFERS = 28
    """It is listed on other terms, and is not closed or has open orders. a: its number."""
    INSTRUMENTS_FULL = 29
    """a: how many there are."""
    PARTICIPANTS_FULL = 30
    """a: how many there are."""
    FEES_INVALID = 31
    """Above the whole value, or nobody to collect them. a: the maker's ppm, b: the taker's."""
    BOOK_CROSSED = 32
    """Continuous trading cannot begin. a: best bid, b: best ask."""
    EPOCH_OUT_OF_ORDER = 33
    """a: the epoch, b: the open one."""
    EPOCH_EMPTY = 34
    """a: the epoch."""


class TermsFault(IntEnum):
    """What about an order's terms is wrong."""

    NONE_STAGED = 1
    """The flag TERMS without a TERMS command for this id just before."""
    NOT_TAKEN = 2
    """Terms were staged, and the order lacks the flag."""
    STOP = 3
    """A stop has a stop price, nothing else has."""
    EXPIRY = 4
    """An order good till date has an expiry, no other has."""
    DISPLAY = 5
    """Only an order with a limit that rests can show a part."""
