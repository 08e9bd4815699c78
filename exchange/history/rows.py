"""Orders and trades as fixed rows of 128 bytes, little-endian, and as what a reader gets.

    order           at            trade             at
    id               0 16 bytes   taker order        0 16 bytes
    participant     16 u32        maker order       16 16 bytes
    previous        20 u32        price             32 u64
    instrument      24 u16        quantity          40 u64
    side            26 u8         at_us             48 u64
    type            27 u8         taker             56 u32
    tif             28 u8         maker             60 u32
    status          29 u8         taker's fee       64 u128
    reason          30 u8         maker's fee       80 u128
    entry status    31 u8         taker's collector 96 u32
    entry reason    32 u8         maker's collector 100 u32
    (zeros)         33 3          taker's previous  104 u32
    ordinal         36 u32        maker's previous  108 u32
    at_us           40 u64        instrument's      112 u32
    quantity        48 u64        instrument        116 u16
    price           56 u64        taker's side      118 u8
    filled          64 u64        in an auction     119 u8
    last trade      72 u32        (zeros)           120 8
    collector       76 u32
    filled_fen      80 u128
    fees            96 u128
    entry filled   112 u64
    entry trade    120 u32
    entry trades   124 u32

`previous` is the participant's order before this one, 0 for the first, `ordinal` how many he had before; a
trade's three lead to the trade before of its taker, of its maker, of its instrument. A row's number is its
place, from 1. A row whose participant (taker) is 0 was never written.

What a trade adds to an order (filled, last trade, filled_fen, fees) stands in one line of
a processor's cache: whichever of an order's lines reached the disk last before a power cut, these are of one
moment.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

ROW_BYTES: Final = 128
ORDER: Final = struct.Struct("<16sIIHBBBBBBB3xIQQQQII16s16sQII")
TRADE: Final = struct.Struct("<16s16sQQQII16s16sIIIIIHBB8x")

ORDERS_MAX: Final = 2**31 - 1
"""Most orders of one history."""
TRADES_MAX: Final = 2**32 - 1
"""Most trades of one history."""


class Trade(NamedTuple):
    """One trade. `taker` and `maker` are participant numbers; a collector is 0 where there is no fee."""

    number: int
    instrument: int
    price_fen: int
    quantity_t: int
    at_us: int
    taker_side: int
    maker_order: bytes
    taker_order: bytes
    taker: int
    maker: int
    taker_fee_fen: int
    maker_fee_fen: int
    taker_collector: int
    maker_collector: int
    is_auction: bool


class OrderRow(NamedTuple):
    """One order as it stands. `number` counts acceptances, from 1.

    `status` and `reason` are the core's. What begins with `entry_` is what came of it as it came in: status
    and reason, the first trade (0: none), how many trades (their numbers are consecutive) and the tonnes.
    `collector` is the participant who gets its fees, 0 if it pays none.
    """

    number: int
    order_id: bytes
    participant: int
    instrument: int
    side: int
    type: int
    tif: int
    quantity_t: int
    price_fen: int
    at_us: int
    status: int
    reason: int
    left_t: int
    filled_t: int
    filled_fen: int
    fees_fen: int
    entry_status: int
    entry_reason: int
    entry_trade: int
    entry_trades: int
    entry_filled_t: int
    collector: int


class Change(NamedTuple):
    """What may look different in an instrument's market since the last look.

    `touched` are the (side, price) levels whose shown quantity may have changed, in the order in which they
    first did; each once. `trades` are those since, oldest first.
    """

    instrument: int
    touched: list[tuple[int, int]]
    trades: list[Trade]


def read_order(rows: memoryview, number: int) -> OrderRow:
    """Return the order of this number."""
    fields = ORDER.unpack_from(rows, (number - 1) * ROW_BYTES)
    order_id, participant, _, instrument, side, type_, tif, status, reason = fields[:9]
    entry_status, entry_reason, _, at_us, quantity, price, filled, _, collector = fields[9:18]
    filled_fen, fees, entry_filled, entry_trade, entry_trades = fields[18:]
    return OrderRow(
        *(number, order_id, participant, instrument, side, type_, tif, quantity, price, at_us),
        *(status, reason, quantity - filled, filled),
        int.from_bytes(filled_fen, "little"),
        int.from_bytes(fees, "little"),
        *(entry_status, entry_reason, entry_trade, entry_trades, entry_filled, collector),
    )


def read_trade(rows: memoryview, number: int) -> Trade:
    """Return the trade of this number."""
    fields = TRADE.unpack_from(rows, (number - 1) * ROW_BYTES)
    taker_order, maker_order, price, quantity, at_us, taker, maker, taker_fee, maker_fee = fields[:9]
    taker_collector, maker_collector, _, _, _, instrument, taker_side, is_auction = fields[9:]
    return Trade(
        *(number, instrument, price, quantity, at_us, taker_side, maker_order, taker_order, taker, maker),
        int.from_bytes(taker_fee, "little"),
        int.from_bytes(maker_fee, "little"),
        *(taker_collector, maker_collector, bool(is_auction)),
    )
