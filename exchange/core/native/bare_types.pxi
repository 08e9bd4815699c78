# Matching alone: what it keeps, and what it reports (64 bytes, as the public benchmark lays it out).

cdef enum:
    DIRECT_IDS = 4194304     # ids below this go by an array: 16 MB; the others by a table

ctypedef struct BareReport:
    u8 type
    u8 side
    u8 unused_1[6]
    u64 sequence_number
    u64 order_id
    i64 price_ticks
    u32 quantity
    u32 unused_2
    u64 maker_order_id
    u64 taker_order_id
    u64 unused_3

ctypedef struct Named:
    u64 id
    u32 slot            # 0: empty
    u32 unused

ctypedef struct Bare:
    Ladder bids
    Ladder asks
    Pool pool
    u32 *slots_of       # an order id's slot, for ids below DIRECT_IDS
    Named *named        # the others: open addressing
    u64 named_mask
    u64 named_used
