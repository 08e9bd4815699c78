"""How fast the engine is, on this machine: what `carat bench exchange` measures.

Work that only computes is timed in CPU time of the one thread that does it, so that other work on the machine
counts little; the wall clock stands beside it. Where a disk, other threads or other processes are waited for,
the wall clock counts. No figure counts before its result was checked.

    flows     streams of orders, cancels and changes in five shapes: seeded, pure
    market    the same streams as commands of the engine core, for any number of participants and instruments
    timing    rounds of batches, timed
    book      the core's order book without accounts, held against the whole core
    days      those commands again and again, as trading days: many of them, quickly
    rows      the rows about matching, risk and memory
    durable   the rows about the sequencer: full load, and commit times at a fixed rate
    replay    the rows about reading a journal back
    network   the rows about the gateways, HTTP and binary
    server    the exchange without a chain, in a process of its own
    suite     which rows there are, and running them
    growth    how cost grows with orders, prices, participants and instruments
"""
