"""The embedded chain: a JSON-RPC node over py-evm, single authority, with its state on disk.

Who reads what
    transactions, mempool   what clients send, and in which order it may run; shares, replacing
    rules, quota            who may deploy, how much anybody may send; policy: how the command line says it
    fork, execution         the EVM's rules as this chain sets them (zero fees, constant gas limit)
    evm/                    hot contract code as Python functions
    world, trie, codec      accounts and storage: in memory, as a Merkle trie, as bytes
    modes, mining           when blocks are built
    builder, blocks, roots  one pass over the pool gives one block
    authority               the key that seals each block
    store, history          what is on disk, written in one LMDB transaction a block
    pruning, reachable      old states go, a bit with each block; compaction: the store written anew
    reader, records, verify the whole chain computed again, to find what was changed; scratch: beside it
    clock                   the time of the next block
    node                    the whole chain behind one object, without any network
    calls, logs, trace      what is asked without changing anything
    proofs                  the same, provable by a state root
    commit                  several requests, one block
    rpc/, server            JSON-RPC and HTTP
    sockets, subscriptions  the same over WebSocket, with eth_subscribe
    process                 `start_node()` for tests

Start it with `python -m chain.node --data DIR --port 0`.
"""

import os

# py-evm hashes more than anything else; safe-pysha3 is two to three times faster than pycryptodome.
os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")

from chain.node.lean import put_off_curves

put_off_curves()

from chain.node.process import NodeProcess, start_node  # noqa: E402

__all__ = ["NodeProcess", "start_node"]
