"""What the exchange refuses, each with its numbers. A refusal changes nothing.

Refusal
├── of an order       OrderIdReused, UnknownInstrument, UnknownAccount, QuantityOutOfRange, WrongLot,
│                     DisplayOutOfRange, PriceOutOfRange, WrongTick, PriceBand, ExpiryPassed, TermsMismatch,
│                     ParticipantKilled, PhaseForbids, LevelFull, PositionLimit, InsufficientCash,
│                     InsufficientUnits, PostOnlyWouldTrade, FokUnfillable, OrderUnknown, OrderNotOpen,
│                     StopNotAmendable, AmendBelowFilled
├── of an instrument  InstrumentDiffers, InstrumentInvalid, InstrumentsFull, FeesInvalid, FeeAccountDiffers,
│                     BookCrossed
├── of other acts     AmountOutOfRange, DepositIdReused, WithdrawalIdReused, WithdrawalUnknown,
│                     ParticipantsFull, EpochOutOfOrder, EpochHasNoTrades, EpochUnknown, TapeRootDiffers
├── of a request      CommandMalformed, RequestMalformed, BodyTooLarge, NotSignedIn, NoSuchRoute,
│                     WaitedTooLong
└── of the machinery  JournalCorrupt, JournalLocked, JournalForeign, JournalUnavailable,
                      JournalBehindSnapshot, SnapshotUnavailable, InvariantBroken, JournalBehindChain,
                      ChainBehindJournal, DepositRejected, ChainDisagrees, ExchangeUnreachable
"""

from __future__ import annotations

from chain.refusals import Fact, NamedRefusal, Refusal

# --- orders ---


class OrderIdReused(Refusal):
    """This order id was used before, for another order."""


class UnknownInstrument(Refusal):
    """This unit is not listed for trading."""


class UnknownAccount(Refusal):
    """Nothing was ever deposited, ordered or set for this account."""


class QuantityOutOfRange(Refusal):
    """The order is smaller or larger than the instrument takes."""


class WrongLot(Refusal):
    """The quantity is no multiple of the instrument's lot."""


class DisplayOutOfRange(Refusal):
    """An order shows whole lots of itself, at least a thousandth and no more than the whole."""


class PriceOutOfRange(Refusal):
    """The price is below one tick or above what the book can hold."""


class WrongTick(Refusal):
    """The price is no multiple of the instrument's tick."""


class PriceBand(Refusal):
    """The price lies outside the band around the reference price."""


class ExpiryPassed(Refusal):
    """The order's date is not in the future."""


class TermsMismatch(Refusal):
    """Display quantity, stop price or expiry do not go with this kind of order."""


class ParticipantKilled(Refusal):
    """The account's kill switch is on: it may cancel, and neither order nor amend."""


class PhaseForbids(Refusal):
    """The instrument takes no such order in its present phase."""


class LevelFull(Refusal):
    """The price level cannot show as much as would stand there."""


class PositionLimit(Refusal):
    """The account could come to hold more tonnes of the unit than it may."""


class InsufficientCash(Refusal):
    """The account has less cash available than the act needs."""


class InsufficientUnits(Refusal):
    """The account has fewer tonnes available than the act needs."""


class PostOnlyWouldTrade(Refusal):
    """The order would trade at once, and a post-only order must not."""


class FokUnfillable(Refusal):
    """The book cannot fill the whole order at once, and a fill-or-kill order takes nothing less."""


class OrderUnknown(Refusal):
    """This account has no order with this id."""


class OrderNotOpen(Refusal):
    """The order is filled or was cancelled by the exchange; there is nothing to cancel."""


class StopNotAmendable(Refusal):
    """A stop that was not triggered yet is not amended: cancel it and send another."""


class AmendBelowFilled(Refusal):
    """The new whole is not above what is filled already; the rest is for a cancel."""


# --- instruments ---


class InstrumentInvalid(Refusal):
    """Tick, lot and largest order have to be positive and fit each other."""


class InstrumentDiffers(Refusal):
    """The unit is listed already, on other terms."""


class InstrumentsFull(Refusal):
    """No more units can be listed."""


class FeesInvalid(Refusal):
    """A fee is above the whole value, or there is no account to collect it."""


class FeeAccountDiffers(Refusal):
    """Another account collects this instrument's fees already; that stays."""


class BookCrossed(Refusal):
    """Continuous trading cannot begin on a crossed book: uncross it first."""


# --- other acts ---


class AmountOutOfRange(Refusal):
    """The amount is not positive, or larger than the exchange can count."""


class DepositIdReused(Refusal):
    """A deposit with this id was credited before, with other content."""


class WithdrawalIdReused(Refusal):
    """This withdrawal id was used before, for another withdrawal."""


class WithdrawalUnknown(Refusal):
    """There is no withdrawal with this id."""


class ParticipantsFull(Refusal):
    """No more accounts can be taken in."""


class EpochOutOfOrder(Refusal):
    """Epochs close and settle one after the other."""


class EpochHasNoTrades(Refusal):
    """An epoch without a trade is not closed; it goes on."""


class EpochUnknown(Refusal):
    """There is no closed epoch with this number."""


class TapeRootDiffers(Refusal):
    """The chain recorded another tape root for this epoch than the journal gives."""


# --- requests ---


class CommandMalformed(Refusal):
    """A field of the command is missing, unknown or of the wrong form."""


class RequestMalformed(Refusal):
    """The request is not what this address takes."""


class BodyTooLarge(Refusal):
    """The request's body is larger than the exchange reads."""


class NotSignedIn(Refusal):
    """The request does not carry the exchange's secret."""


class NoSuchRoute(Refusal):
    """There is nothing at this address, or not with this method."""


class WaitedTooLong(Refusal):
    """What was waited for has not happened yet; ask again."""


# --- machinery ---


class JournalCorrupt(Refusal):
    """The journal was altered: this frame is not what was written."""


class JournalLocked(Refusal):
    """Another process writes this journal."""


class JournalForeign(Refusal):
    """The journal belongs to another deployment."""


class JournalUnavailable(Refusal):
    """The journal could not be made durable; the exchange takes nothing more until it is started again."""


class JournalBehindSnapshot(Refusal):
    """A snapshot covers more than the journal has: the journal has lost what was acknowledged."""


class SnapshotUnavailable(Refusal):
    """No snapshot could be written: nothing is lost, but the next start has more to read."""


class InvariantBroken(Refusal):
    """The exchange's own sums do not hold any more; it takes nothing until a person has looked."""


class JournalBehindChain(Refusal):
    """The chain has settled epochs that the journal does not know."""


class ChainBehindJournal(Refusal):
    """The chain ends before the block up to which the journal has read it."""


class DepositRejected(Refusal):
    """A deposit that is on chain could not be credited here: a person has to look."""


class ChainDisagrees(Refusal):
    """Something happened in Clearing that the exchange did not ask for."""


class ExchangeUnreachable(Refusal):
    """The exchange does not answer now; the same act may be sent again."""


def from_json(code: str, facts: dict[str, Fact]) -> Refusal:
    """Return the refusal that the exchange named, as its own class when this version knows it."""
    kind = globals().get(code)
    if isinstance(kind, type) and issubclass(kind, Refusal) and not issubclass(kind, NamedRefusal):
        return kind(**facts)
    return OtherRefusal(code, facts)


class OtherRefusal(NamedRefusal):
    """A refusal that the exchange passed on from elsewhere, or that a newer version knows."""
