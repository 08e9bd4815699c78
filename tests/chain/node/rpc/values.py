"""What the cases of all methods are made of."""

from __future__ import annotations

from typing import Any

from tests.chain.node.rpc.scene import NOBODY, Scene

Good = list[Any]
Bad = list[tuple[list[Any], int]]
MISSING, BAD, NOT_FOUND, REVERTED, LIMIT = -32602, -32602, -32000, 3, -32005
TAGS = ("latest", "pending", "safe", "finalized", "earliest")


def blocks_of(scene: Scene) -> list[Any]:
    """The ways of naming a block that is there."""
    return [
        *TAGS,
        hex(scene.height),
        scene.block_hash,
        {"blockHash": scene.block_hash},
        {"blockHash": scene.block_hash, "requireCanonical": True},
        {"blockNumber": hex(scene.height)},
        {"blockNumber": "latest"},
        None,
    ]


BAD_BLOCKS: list[Any] = ["newest", "7", "0x", -1, True, [], {}, {"blockHash": "0x1"}, 1.5, "0x1" + "0" * 16]
BAD_HASHES: list[Any] = ["0x1", "99" * 32, 5, None, {}, "0x" + "9g" * 32, "0x" + "99" * 33]
BAD_ADDRESSES: list[Any] = ["0x1", "77" * 20, 5, None, [NOBODY], "0x" + "77" * 21, "0x" + "g7" * 20]
