"""A network of others in memory: a mempool with fees, blocks that come by themselves, and reorganisations.

It answers what `chain.delivery` asks. A block comes with every `calls_a_block`-th request, so that no test
depends on the clock. The pool's rules are geth's: nonces in order, 10 % more to replace, a price to enter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chain.rpc import ChainRpc, RpcError
from chain.transactions import SignedTransaction, read_transaction

CHAIN_ID = 1_337
GAS_USED = 21_000


@dataclass
class Block:
    """A block of the branch that counts."""

    number: int
    hash: str
    transactions: list[SignedTransaction] = field(default_factory=list)


class FakeNetwork(ChainRpc):
    """One node of it."""

    def __init__(self, calls_a_block: int = 2, base_fee_wei: int = 0, tip_wei: int = 0) -> None:
        super().__init__("http://127.0.0.1:9")
        self.calls_a_block = calls_a_block
        self.base_fee_wei = base_fee_wei
        self.tip_wei = tip_wei
        self.block_gas = 30_000_000
        self.balances: dict[str, int] = {}
        self.pool: dict[tuple[str, int], SignedTransaction] = {}
        self.blocks = [Block(0, "0x" + "00" * 32)]
        self.on_block: Callable[[FakeNetwork], None] = lambda _network: None
        self.hold: Callable[[SignedTransaction], bool] = lambda _transaction: False
        self._calls = 0
        self._branch = 0

    # What a test does to it -------------------------------------------------------------------------------

    def mine(self, blocks: int = 1) -> None:
        """Add blocks with everything that may run and pays."""
        for _ in range(blocks):
            number = len(self.blocks)
            digest = hashlib.sha256(f"{self.blocks[-1].hash}/{self._branch}".encode()).hexdigest()
            block = Block(number, "0x" + digest)
            while ready := [each for each in self.pool.values() if self._runs_now(each, block)]:
                for each in ready:
                    block.transactions.append(self.pool.pop((each.sender, each.nonce)))
            self.blocks.append(block)

    def reorganise(self, depth: int, *, keep_transactions: bool) -> None:
        """Replace the newest blocks by as many empty ones and one more; what was in them goes or waits."""
        depth = min(depth, len(self.blocks) - 1)
        dropped = self.blocks[len(self.blocks) - depth :]
        del self.blocks[len(self.blocks) - depth :]
        self._branch += 1
        if not keep_transactions:
            self.pool.clear()
        waiting, self.pool = self.pool, {}
        self.mine(depth + 1)
        self.pool = waiting
        if keep_transactions:
            for block in dropped:
                for each in block.transactions:
                    self.pool.setdefault((each.sender, each.nonce), each)

    def mined(self) -> list[SignedTransaction]:
        """Return every transaction of the branch that counts, in order."""
        return [each for block in self.blocks for each in block.transactions]

    # What it answers --------------------------------------------------------------------------------------

    def call(self, method: str, *params: Any) -> Any:
        (answer,) = self.batch([(method, params)])
        if isinstance(answer, RpcError):
            raise answer
        return answer

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        answers = [self._answer(method, params) for method, params in calls]
        self._calls += 1
        if self._calls % self.calls_a_block == 0:
            self.mine()
            self.on_block(self)
        return answers

    def _answer(self, method: str, params: Sequence[Any]) -> Any:
        try:
            return getattr(self, f"_{method}")(*params)
        except _RefusedError as refused:
            return RpcError(method, -32000, str(refused))

    def _eth_chainId(self) -> str:  # noqa: N802
        return hex(CHAIN_ID)

    def _eth_blockNumber(self) -> str:  # noqa: N802
        return hex(len(self.blocks) - 1)

    def _eth_getBlockByNumber(self, tag: str, _whole: bool) -> dict[str, Any] | None:  # noqa: N802
        number = len(self.blocks) - 1 if tag == "latest" else int(tag, 16)
        if number >= len(self.blocks):
            return None
        block = self.blocks[number]
        return {
            "number": hex(number),
            "hash": block.hash,
            "timestamp": hex(number),
            "baseFeePerGas": hex(self.base_fee_wei),
            "gasLimit": hex(self.block_gas),
        }

    def _eth_maxPriorityFeePerGas(self) -> str:  # noqa: N802
        return hex(self.tip_wei)

    def _eth_gasPrice(self) -> str:  # noqa: N802
        return hex(self.base_fee_wei + self.tip_wei)

    def _eth_getBalance(self, account: str, _tag: str) -> str:  # noqa: N802
        return hex(self.balances.get(account, 0))

    def _eth_getTransactionCount(self, account: str, tag: str) -> str:  # noqa: N802
        last = len(self.blocks) - 1 if tag in ("latest", "pending") else int(tag, 16)
        count = self._count(account, self.blocks[: last + 1])
        while tag == "pending" and (account, count) in self.pool:
            count += 1
        return hex(count)

    def _eth_getTransactionByHash(self, tx_hash: str) -> dict[str, Any] | None:  # noqa: N802
        known = [*self.pool.values(), *self.mined()]
        return {"hash": tx_hash} if any(each.tx_hash == tx_hash for each in known) else None

    def _eth_getTransactionReceipt(self, tx_hash: str) -> dict[str, Any] | None:  # noqa: N802
        for block in reversed(self.blocks):
            for place, each in enumerate(block.transactions):
                if each.tx_hash == tx_hash:
                    return {
                        "blockNumber": hex(block.number),
                        "blockHash": block.hash,
                        "transactionIndex": hex(place),
                        "gasUsed": hex(GAS_USED),
                        "status": "0x1",
                        "contractAddress": None,
                    }
        return None

    def _eth_call(self, *_params: Any) -> str:
        return "0x"

    def _eth_sendRawTransaction(self, raw: str) -> str:  # noqa: N802
        transaction = read_transaction(bytes.fromhex(raw[2:]), CHAIN_ID)
        place = (transaction.sender, transaction.nonce)
        if transaction.nonce < self._count(transaction.sender, self.blocks):
            raise _RefusedError("nonce too low")
        if transaction.gas > self.block_gas:
            raise _RefusedError("exceeds block gas limit")
        if transaction.fee.tip_wei < self.tip_wei:
            raise _RefusedError("transaction underpriced")
        cost_wei = transaction.gas * transaction.fee.max_wei
        if cost_wei > self.balances.get(transaction.sender, 0):
            raise _RefusedError("insufficient funds for gas * price + value")
        before = self.pool.get(place)
        if before is not None:
            if before.tx_hash == transaction.tx_hash:
                raise _RefusedError("already known")
            old, new = before.fee, transaction.fee
            if min(new.max_wei - old.max_wei, new.tip_wei - old.tip_wei) <= 0 or (
                new.max_wei * 10 < old.max_wei * 11
            ):
                raise _RefusedError("replacement transaction underpriced")
        self.pool[place] = transaction
        return transaction.tx_hash

    def _count(self, account: str, blocks: Sequence[Block]) -> int:
        return sum(each.sender == account for block in blocks for each in block.transactions)

    def _runs_now(self, transaction: SignedTransaction, block: Block) -> bool:
        count = self._count(transaction.sender, [*self.blocks, block])
        if self.hold(transaction):
            return False
        return transaction.nonce == count and transaction.fee.max_wei >= self.base_fee_wei


class _RefusedError(Exception):
    """The pool does not take a transaction."""
