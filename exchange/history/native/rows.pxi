# Rows as `rows.py` says, and everything that the compiled recorder knows.

ctypedef packed struct Order:
    u64 id_low
    u64 id_high
    u32 participant
    u32 previous
    u16 instrument
    u8 side
    u8 type
    u8 tif
    u8 status
    u8 reason
    u8 entry_status
    u8 entry_reason
    u8 zeros[3]
    u32 ordinal
    u64 at_us
    u64 quantity
    u64 price
    u64 filled
    u32 last_trade
    u32 collector
    u128 filled_fen
    u128 fees
    u64 entry_filled
    u32 entry_trade
    u32 entry_trades

ctypedef packed struct Trade:
    u64 taker_low
    u64 taker_high
    u64 maker_low
    u64 maker_high
    u64 price
    u64 quantity
    u64 at_us
    u32 taker
    u32 maker
    u128 taker_fee
    u128 maker_fee
    u32 taker_collector
    u32 maker_collector
    u32 taker_previous
    u32 maker_previous
    u32 tape_previous
    u16 instrument
    u8 taker_side
    u8 is_auction
    u64 zeros

cdef enum:
    K_ACCEPTED = 1
    K_RESTED = 2
    K_TRADE = 3
    K_FILLED = 4
    K_CANCELLED = 5
    K_AMENDED = 6
    K_EXPIRED = 7
    K_TRIGGERED = 8
    K_REPLENISHED = 9
    K_LISTED = 12
    K_RULES_SET = 13
    K_REGISTERED = 17
    K_EPOCH_CLOSED = 25
    K_REDUCED = 26

    OPEN = 1
    PARKED = 2
    FILLED = 3
    CANCELLED = 4
    EXPIRED = 5

    BUY = 1
    T_MARKET = 2
    T_STOP = 3
    REPEATED = 1
    AUCTION = 2

    CHUNK = 64              # as in chains.py
    SEGMENT = 4096          # places of a segment of the table of ids
    SEGMENT_FULL = 2867     # taken places at which it is split
    SEGMENT_BITS = 12
    DEPTH_MAX = 20          # with SEGMENT_BITS all 32 bits of a hash

    OK = 0
    UNKNOWN_ORDER = 1
    TRADE_MISSING = 2
    NO_COLLECTOR = 3

ctypedef struct Place:
    # Of the table of ids: a hash, and the order's number; 0: empty.
    u32 hash
    u32 number

ctypedef struct Segment:
    u32 depth               # how many of a hash's first bits all of it shares
    u32 used
    Place places[4096]

ctypedef struct Chunk:
    u32 newest              # of a chunk that is complete
    u32 open

ctypedef struct Chain:
    # See chains.py. `head` is the newest number of all.
    u32 head
    u32 count
    u32 open_all
    u32 room
    Chunk *chunks

ctypedef struct Who:
    # A line of a processor's cache.
    Chain orders
    Chain trades
    u64 unused[2]

ctypedef struct Touch:
    u64 price
    u16 instrument
    u16 side

ctypedef struct Closed:
    u64 number
    u64 first
    u64 trades

ctypedef struct Account:
    u8 bytes[20]

ctypedef struct Rec:
    Order *orders           # where number 1 stands
    Trade *trades
    u64 orders_used
    u64 trades_used
    Segment **segments      # by the first `depth` bits of a hash
    u32 depth
    u64 seed
    Who *who                # by participant
    u32 who_room
    Chain *tapes            # by instrument
    u32 tapes_room
    Account *accounts
    u32 accounts_used
    u32 accounts_room
    u128 *units
    u32 *collectors
    u32 units_used
    u32 units_room
    u32 entering            # the order whose entry goes on; 0: none
    u64 entering_sequence
    u64 recent_low          # the order that was looked for last
    u64 recent_high
    u32 recent
    bint watching
    Touch *touched          # in order
    u32 touched_used
    u32 touched_room
    u32 *touched_table      # places in `touched`, from 1
    u32 touched_mask
    Closed *closed
    u32 closed_used
    u32 closed_room


cdef inline u128 wide(u64 low, u64 high) noexcept nogil:
    return (<u128>high << 64) | low
