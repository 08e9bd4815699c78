# For whoever replays: only the reports of some kinds.

cdef enum:
    KEEP_EVERY = 512        # commands after which what is not wanted goes: so that it never leaves the cache


cdef void apply_keeping(Core *c, const Command *commands, u64 n, u64 kinds) noexcept nogil:
    cdef u64 at = 0, part, i, kept = 0
    c.out_kept = ~<u64>0
    while at < n:
        part = n - at
        part = part if part < KEEP_EVERY else KEEP_EVERY
        c.out_used = kept
        apply_run(c, commands + at, part)
        for i in range(kept, c.out_used):
            if kinds >> (c.out[i].kind & 63) & 1:
                c.out[kept] = c.out[i]
                kept += 1
        at += part
    c.out_used = kept
