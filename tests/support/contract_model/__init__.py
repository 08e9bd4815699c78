"""The contracts once more, in plain Python: what each call does, and what it is refused with.

This is a specification that one reads: a module a contract, in the contract's own order of checks, with
integers and mappings and nothing of the machine that runs the real ones. It says for every call the
result, the events, or the typed error with its numbers. Two things hold it and the contracts together:
`scripts/fuzz_contracts`, with random calls on the compiled bytecode, and the stateful tests in
tests/contracts, on the node.

    machine         calls that happen whole or not at all; tables, events, refusals
    access_manager  roles, and delays in which others can see what is coming (OpenZeppelin's)
    managed, once   what all contracts share: who may call, and acts that happen once
    erc20           the token under the cash and the points (OpenZeppelin's)
    ledger, compliance, verification, clearing, cash, points
    puppet          a holder that is a contract, and bites when something arrives
    witness         the invariants, kept from the events alone
"""
