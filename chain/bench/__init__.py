"""How fast the chain is, beside its peers, in one run: what `carat bench chain` measures.

Every row does its work through JSON-RPC over HTTP, as a user would, against a node in a process of its own
that waits for the disk, and checks the outcome (receipts, balances) before it says a figure. A peer gets the
same requests in turns with the node, so that both meet the same noise.

    report    a row, a report, the machine: also for other benchmarks
    wire      JSON-RPC over one kept connection, as cheap as Python can
    chains    the chains under test: our node, anvil, eth-tester, each in a process of its own
    market    the real CarbonLedger with accounts and tonnes on any of them, and signed transfers
    transfers, calls, logs, settlement, contract_tests    the rows
    suite     which rows there are, and running them
"""
