"""Found: a transaction worth more than its sender has was refused only by the block that was built for it."""

from __future__ import annotations

from pathlib import Path

from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, hexed, signed


def test_what_its_sender_cannot_pay_is_refused_without_a_block(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path / "chain")
    for more in ({"value": 10**30}, {"value": 10_000 * 10**18, "gasPrice": 1}):
        code, message = rpc.refusal("eth_sendRawTransaction", hexed(signed(0, 0, ADDRESSES[1], **more)))
        assert (code, message[:50]) == (-32000, "insufficient funds for gas * price + value: balanc")
    assert rpc.height == 0
    assert rpc.send(signed(0, 0, ADDRESSES[1], value=10_000 * 10**18))["status"] == "0x1"
    rpc.close()
