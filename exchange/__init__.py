"""The exchange: who trades with whom, at what price, and what that moves.

From the bottom up (a module imports only what stands above it here):

    refusals, commands, reports     the vocabulary
    book, risk                      price-time priority; what is available and what is reserved
    tape, netting                   pure functions over trades: Merkle root, net deltas
    state, engine, invariants       `apply(state, command) -> reports` and what must always hold
    records, journal                commands as bytes, chained and durable
    recompute                       for the audit: everything again from the journal
    views, sequencer                what readers look up; the one writer
    clearing, chain_port            the chain side: deposits in, epochs and withdrawals out
    messages, wire, rendering       JSON: its shapes, reading it, writing it
    streaming, gateway, client      loopback HTTP

Everything up to `invariants` is pure: no clock, no I/O, no randomness. docs/spec/04-exchange.md says it
in prose.
"""
