"""Running contract code fast: hot paths turned into Python functions.

py-evm's opcode loop is the readable reference: `trace` runs it unchanged, and what calls or creates other
contracts stays with its opcodes everywhere. Laws in the tests hold the two together on random programs.

    codegen     one path through bytecode -> one Python function
    operations  what those functions call, where an opcode is more than an expression
    program     a contract's paths: compiled when hot, interpreted by py-evm's opcodes until then
    opcodes     Cancun's opcodes, py-evm's and a few of our own
    precompiles Cancun's precompiled contracts, likewise
"""
