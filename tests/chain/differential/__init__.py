"""The same random transactions through this node and through another one: not one difference.

sending       a transaction before it is signed, and its signature
assembly      EVM programs as lists of pieces
words         the numbers, addresses and inputs that programs are fed with
programs      random programs
contracts     random acts of our own contracts
stream        the stream of blocks of transactions, a pure function of its seed
peers         the two nodes
compare       what has to be the same
minimise      the least transaction that still differs
run           all of it together
"""
