"""The exchange: who trades with whom, at what price, and what that moves.

From the bottom up (a module imports only what stands above it here):

    refusals, commands, reports     the vocabulary
    book, risk                      price-time priority; what is available and what is reserved
    tape, netting                   pure functions over trades: Merkle root, net deltas
    state, engine, invariants       `apply(state, command) -> reports` and what must always hold
    frames, journal                 commands as bytes, chained and durable
    sequencer, views                one writer; what readers see
    clearing                        the chain side: deposits in, epochs and withdrawals out
    wire, gateway, client           JSON over loopback HTTP

Everything up to `invariants` is pure: no clock, no I/O, no randomness. docs/spec/04-exchange.md says it
in prose.
"""
