"""Running contract code fast: basic blocks turned into Python functions.

py-evm's opcode loop is the readable reference and stays in charge of whatever touches state, other
contracts or logs; `trace` runs it unchanged. What is compiled here is what lies between: pushing,
adding, comparing, memory, jumps. A law in the tests holds the two together on random programs.

    codegen   one basic block of bytecode -> one Python function
    program   a contract's blocks: compiled when hot, interpreted by py-evm's opcodes until then
"""
