# Price levels outside the window: sorted runs of up to 128, found by two binary searches. Right first, fast second:
# n levels cost O(log n) to find, a short move to insert, and a directory move once in 64 inserts.

ctypedef struct FarLevel:
    i64 key
    Level level

ctypedef struct Run:
    u32 n
    FarLevel items[RUN_ITEMS]

ctypedef struct Far:
    Run **runs      # by key, lowest first; none is empty
    u32 n
    u32 room
    u64 levels


cdef inline i64 far_top(Far *f) noexcept nogil:
    # The highest key; only where there is one.
    cdef Run *last = f.runs[f.n - 1]
    return last.items[last.n - 1].key


cdef u32 far_run(Far *f, i64 key) noexcept nogil:
    # The run that holds the key, or would: the last whose first key is not above it, else the first.
    cdef u32 low = 0, high = f.n, middle
    while low + 1 < high:
        middle = (low + high) // 2
        if f.runs[middle].items[0].key <= key:
            low = middle
        else:
            high = middle
    return low


cdef u32 far_place(Run *run, i64 key) noexcept nogil:
    # Where the key is, or would be inserted.
    cdef u32 low = 0, high = run.n, middle
    while low < high:
        middle = (low + high) // 2
        if run.items[middle].key < key:
            low = middle + 1
        else:
            high = middle
    return low


cdef Level *far_find(Far *f, i64 key) noexcept nogil:
    cdef Run *run
    cdef u32 at
    if f.n == 0:
        return NULL
    run = f.runs[far_run(f, key)]
    at = far_place(run, key)
    if at < run.n and run.items[at].key == key:
        return &run.items[at].level
    return NULL


cdef void far_insert_run(Far *f, u32 at, Run *run) noexcept nogil:
    cdef u32 room, i
    if f.n == f.room:
        room = f.room * 2 if f.room else 8
        f.runs = <Run **>grow(f.runs, f.room * sizeof(void *), room * sizeof(void *))
        f.room = room
    i = f.n
    while i > at:
        f.runs[i] = f.runs[i - 1]
        i -= 1
    f.runs[at] = run
    f.n += 1


cdef Level *far_need(Far *f, i64 key) noexcept nogil:
    # The level at a key, made where it is not. The pointer holds until the next change.
    cdef Run *run
    cdef Run *upper
    cdef u32 which, at, i, half
    if f.n == 0:
        far_insert_run(f, 0, <Run *>grow(NULL, 0, sizeof(Run)))
    which = far_run(f, key)
    run = f.runs[which]
    at = far_place(run, key)
    if at < run.n and run.items[at].key == key:
        return &run.items[at].level
    if run.n == RUN_ITEMS:
        half = RUN_ITEMS // 2
        upper = <Run *>grow(NULL, 0, sizeof(Run))
        upper.n = RUN_ITEMS - half
        memcpy(&upper.items[0], &run.items[half], upper.n * sizeof(FarLevel))
        run.n = half
        far_insert_run(f, which + 1, upper)
        if at > half:
            run = upper
            at -= half
    i = run.n
    while i > at:
        run.items[i] = run.items[i - 1]
        i -= 1
    memset(&run.items[at], 0, sizeof(FarLevel))
    run.items[at].key = key
    run.n += 1
    f.levels += 1
    return &run.items[at].level


cdef void far_drop(Far *f, i64 key) noexcept nogil:
    # Take out a level that is there.
    cdef u32 which = far_run(f, key)
    cdef Run *run = f.runs[which]
    cdef u32 i = far_place(run, key)
    run.n -= 1
    f.levels -= 1
    while i < run.n:
        run.items[i] = run.items[i + 1]
        i += 1
    if run.n == 0:
        free(run)
        f.n -= 1
        while which < f.n:
            f.runs[which] = f.runs[which + 1]
            which += 1


cdef bint far_below(Far *f, i64 key, i64 *found) noexcept nogil:
    # The highest key strictly below `key`; returns whether there is one.
    cdef u32 which, at
    cdef Run *run
    if f.n == 0:
        return False
    which = far_run(f, key)
    run = f.runs[which]
    at = far_place(run, key)
    if at == 0:
        if which == 0:
            return False
        run = f.runs[which - 1]
        at = run.n
    found[0] = run.items[at - 1].key
    return True


cdef void far_free(Far *f) noexcept nogil:
    cdef u32 i
    for i in range(f.n):
        free(f.runs[i])
    free(f.runs)
    memset(f, 0, sizeof(Far))
