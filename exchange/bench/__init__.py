"""How fast the engine is, on this machine: what `carat bench exchange` measures.

Work that only computes is timed in CPU time of the one thread that does it, so that other work on the machine
counts little; the wall clock stands beside it. No figure counts before its result was checked.

    flows     streams of orders, cancels and changes in five shapes: seeded, pure
    market    the same streams as commands of the engine core, for any number of participants and instruments
    timing    rounds of batches, timed
    book      the core's order book without accounts, held against the whole core
    rows      the rows about matching, risk, replay and memory
    product   the rows about the product's path: the journal's disk and HTTP
    server    the gateway without a chain, in a process of its own
    suite     which rows there are, and running them
    growth    how cost grows with orders, prices, participants and instruments
"""
