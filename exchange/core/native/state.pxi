# Everything that the compiled core knows. The reference's `state.py` says what it means.

ctypedef struct Entry:
    # An id that is remembered, and what became of its order: 64 bytes. Number = order of acceptance, from 1.
    u64 id_low
    u64 id_high
    u64 digest
    u64 quantity
    u64 filled
    u64 entry_filled
    u32 position
    u32 slot            # while it is open; then the day on which it was closed
    u8 status
    u8 reason
    u8 entry_status
    u8 entry_reason
    u8 side
    u8 type
    u8 tif
    u8 flags

ctypedef struct Extra:
    # What the engine knows of an open order besides its `Slot`: 32 bytes. It takes the next slot's place, so that
    # the two share a cache line: orders' slots have even numbers.
    u32 entry
    u32 position
    u32 fees
    u32 rare            # its `Rare`; 0: none
    u16 instrument
    u8 stp
    u8 is_listed        # in the participant's list
    u32 unused[3]

ctypedef struct Rare:
    # What few orders have.
    u64 display
    u64 stop
    u64 expiry_us
    u64 next_free

ctypedef struct Position:
    u128 available
    u128 reserved
    u128 bought
    u128 open_buys

ctypedef struct Owner:
    u32 participant
    u32 instrument

ctypedef struct Who:
    # A participant: 64 bytes.
    u128 available
    u128 reserved
    u32 *own            # entries of its open orders, as accepted; among them some that are done
    u32 own_used
    u32 own_room
    u32 own_open        # how many of them are open
    u32 position        # the one asked for last, and its instrument
    u32 instrument
    u32 killed

ctypedef struct Address:
    u8 bytes[20]

ctypedef struct Fees:
    u32 maker_ppm
    u32 taker_ppm
    u32 collector
    u32 larger_ppm

ctypedef struct HeapItem:
    i64 key
    u32 entry
    u32 unused

ctypedef struct Heap:
    # The least key first, at one key the order accepted first. Items of orders that left stay until they come up.
    HeapItem *items
    u32 n
    u32 room

ctypedef struct Instrument:
    u128 total
    u64 unit_low
    u64 unit_high
    u64 tick
    u64 lot
    u64 quantity_max
    u64 position_limit
    u64 reference
    u64 last
    u64 band_low
    u64 band_high
    u32 fees
    u32 band_ppm
    u8 phase
    u8 bars_resale
    u8 has_band
    u8 unused
    u32 parked_head     # stops that wait, as accepted, linked by their slots
    u32 parked_tail
    u32 parked
    Ladder bids
    Ladder asks
    Heap buy_stops
    Heap sell_stops

ctypedef struct Transfer:
    u8 id[32]
    u128 asked
    u128 moved
    u32 participant
    u16 instrument
    u8 kind
    u8 flags
    u64 unused

ctypedef struct Epoch:
    u64 first
    u64 trades

ctypedef struct Bucket:
    u32 tag
    u32 number          # 0: empty

ctypedef struct Table:
    # Open addressing, at most half full; never deleted from, but built anew.
    Bucket *buckets
    u64 mask
    u64 n

ctypedef struct Terms:
    u64 id_low
    u64 id_high
    u64 display
    u64 stop
    u64 expiry_us

ctypedef struct Ahead:
    # What is known of a command before its turn. All but the tag is a guess.
    u32 tag             # of its id
    u32 number          # the entry that it most likely names; 0: none
    u32 slot            # its slot; 0: none

ctypedef struct Core:
    u64 sequence
    u64 now_us
    u64 trades
    u32 day
    u32 is_staged
    Terms staged
    u128 cash_total
    u64 seed            # of the tables of ids: which ids share a bucket is nobody's to know
    u64 seed_high
    Pool pool
    Rare *rares
    u32 rares_used
    u32 rares_room
    u32 rares_free
    u32 open_orders
    Entry *entries      # from 1
    u32 entries_used
    u32 entries_room
    Table ids
    Position *positions  # from 1
    Owner *owners
    u32 positions_used
    u32 positions_room
    Table position_table
    Who *who            # from 1
    Address *known      # from 1
    u32 participants
    u32 who_room
    Table addresses
    Instrument *instruments  # from 1
    u32 listed
    u32 instruments_room
    Table units
    Fees *fees
    u32 fees_used
    u32 fees_room
    Transfer *transfers  # from 1
    u32 transfers_used
    u32 transfers_room
    Table transfer_table
    Epoch *epochs
    u64 epochs_used
    u64 epochs_room
    Heap dates
    u32 dated
    u32 touched         # the instrument whose stops may be due after this command; 0: none
    Report *out         # `own_out`, or room that the caller lends for a run
    u64 out_used
    u64 out_kept        # all ones; or 0: each report is written over the one before
    u64 out_room
    Report *own_out
    u64 own_room
