"""Who trades in the tests, and runs of records for them."""

from __future__ import annotations

from uuid import UUID

from exchange.core import records
from exchange.core.codes import Side
from exchange.custody import withdrawal_transfer
from exchange.venue import Venue

UNIT = 1 << 80 | 2026 << 64
OTHER_UNIT = 1 << 80 | 2027 << 64
START_US = 1_780_000_000_000_000

ANNA, BERT, CARL, DORA = (bytes([letter]) * 20 for letter in b"ABCD")
ACCOUNTS = (ANNA, BERT, CARL, DORA)


def order_id(number: int) -> bytes:
    return UUID(int=number).bytes


def deposit_id(number: int) -> bytes:
    return number.to_bytes(32, "big")


def listing(unit: int = UNIT) -> bytes:
    return records.list_instrument(unit, 1, 1, 10**9)


def order(
    venue: Venue,
    name: bytes,
    account: bytes,
    side: Side,
    quantity_t: int,
    price_fen: int,
    at_us: int = START_US,
) -> bytes:
    """A limit order for the unit of the tests."""
    who, what = venue.participant(account), venue.instrument(UNIT)
    return records.new_order(name, who, what, side, quantity_t, price_fen, at_us=at_us)


def withdrawal(venue: Venue, name: bytes, account: bytes, asset: int, amount: int) -> bytes:
    """What the gateway makes of a request to withdraw."""
    who, what = venue.participant(account), venue.instrument(asset) if asset else 0
    return records.advance(START_US) + records.debit(who, what, amount, withdrawal_transfer(name))


def opening(cash_fen: int = 1_000_000, quantity_t: int = 1_000) -> bytes:
    """Lists the unit, registers everyone and gives everyone cash and tonnes."""
    parts = [listing(), *(records.register(account) for account in ACCOUNTS)]
    for number in range(1, len(ACCOUNTS) + 1):
        parts.append(records.credit(number, 0, cash_fen, deposit_id(2 * number)))
        parts.append(records.credit(number, 1, quantity_t, deposit_id(2 * number + 1)))
    return b"".join(parts)
