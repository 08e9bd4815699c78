# Commands and reports as they are laid out everywhere (exchange/core/records.py). A 128-bit number and an id are
# two halves, the low one first. Whoever includes this has named u8 to u64.

ctypedef packed struct Command:
    u8 kind
    u8 side
    u8 type
    u8 tif
    u8 flags
    u8 stp
    u16 instrument
    u32 participant
    u32 spare
    u64 id_low
    u64 id_high
    u64 quantity
    u64 price
    u64 at_us
    u64 extra

ctypedef packed struct Report:
    u8 kind
    u8 code
    u8 side
    u8 flags
    u16 instrument
    u8 type
    u8 tif
    u64 sequence
    u64 id_low
    u64 id_high
    u64 other_low
    u64 other_high
    u64 price
    u64 quantity
    u64 left
    u64 number
    u32 participant
    u32 other
    u64 at_us
    u64 a_low
    u64 a_high
    u64 b_low
    u64 b_high
