"""The index finds exactly the logs that looking through every block finds, whatever became of the chain."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.bench.logs import EMITTER
from chain.node import log_index
from chain.node.log_index import PLACES, TERMS, count_logs, raw_logs, segment_rows, term
from chain.node.logs import get_logs, logs_in, read_filter
from chain.node.reader import StoreReader
from chain.node.store import Store
from chain.node.verify import verify
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import COUNTER, LOGGER, signed

WORDS = [number.to_bytes(32, "big") for number in range(4)]
EVENT = b"\xca" * 32


class Chain:
    """A chain with four contracts that log: two alike, one without topics, one with two and many logs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.rpc = LocalRpc(directory)
        self.contracts = [self.rpc.deploy(code) for code in (COUNTER, COUNTER, LOGGER, EMITTER)]
        self.nonce = 4
        self.snapshots: list[tuple[str, int]] = []

    def log(self, contract: int, words: list[int]) -> None:
        """One transaction a word, all in one block."""
        raws = []
        for word in words:
            data = WORDS[word] if contract < 3 else (word + 1).to_bytes(32, "big") + bytes(32)
            raws.append(signed(0, self.nonce, self.contracts[contract], data))
            self.nonce += 1
        self.rpc.batch(*[("eth_sendRawTransaction", ["0x" + raw.hex()]) for raw in raws])

    def snapshot(self) -> None:
        self.snapshots.append((self.rpc.call("evm_snapshot"), self.nonce))

    def revert(self) -> None:
        if self.snapshots:
            name, self.nonce = self.snapshots.pop()
            assert self.rpc.call("evm_revert", name)

    def restart(self) -> None:
        self.rpc.close()
        self.rpc = LocalRpc(self.directory)

    def expected(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """What looking through every block finds."""
        wanted = read_filter(query)
        numbers = range(int(query["fromBlock"], 16), min(int(query["toBlock"], 16), self.rpc.height) + 1)
        blocks = [self.rpc.node.history.at(number) for number in numbers]
        return [log for block in blocks if block is not None for log in logs_in(block, wanted)]

    def found(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = orjson.loads(orjson.dumps(get_logs(self.rpc.node, query)))
        return found


@pytest.fixture(autouse=True)
def small_segments() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_index, "SEGMENT_BLOCKS", 3)
        patch.setattr(log_index, "SEGMENT_LOGS", 5)
        yield


some_words = st.lists(st.integers(0, 3), min_size=1, max_size=4)
acts = st.lists(
    st.one_of(
        st.tuples(st.just("log"), st.integers(0, 3), some_words),
        st.tuples(st.sampled_from(["mine", "snapshot", "revert", "restart"])),
    ),
    max_size=14,
)
topic = st.sampled_from([*("0x" + word.hex() for word in WORDS), "0x" + EVENT.hex()])
condition = st.one_of(st.none(), topic, st.lists(topic, max_size=3))
queries = st.lists(
    st.tuples(
        st.lists(st.integers(0, 3), max_size=3),
        st.lists(condition, max_size=3),
        st.integers(0, 12),
        st.integers(0, 20),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(acts, queries)
def test_the_index_finds_what_looking_through_every_block_finds(script: Any, asked: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain(Path(folder))
        for act, *arguments in script:
            if act == "log":
                chain.log(*arguments)
            elif act == "mine":
                chain.rpc.call("evm_mine")
            else:
                getattr(chain, act)()
        for addresses, topics, first, more in asked:
            query = {
                "address": [chain.contracts[each] for each in addresses],
                "topics": topics,
                "fromBlock": hex(min(first, chain.rpc.height)),
                "toBlock": hex(first + more),
            }
            assert chain.found(query) == chain.expected(query)
        chain.rpc.close()
        assert verify(Path(folder)).fault is None


def test_a_rare_topic_is_found_without_reading_other_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = Chain(tmp_path)
    for number in range(30):
        chain.log(0, [3 if number == 17 else 1])
    chain.restart()
    read: list[int] = []
    load = chain.rpc.node.history._load
    monkeypatch.setattr(chain.rpc.node.history, "_load", lambda number: read.append(number) or load(number))
    asked = {"fromBlock": "0x0", "toBlock": hex(chain.rpc.node.history.logs_indexed)}
    (found,) = chain.found({**asked, "topics": ["0x" + WORDS[3].hex()]})
    assert found["address"].lower() == chain.contracts[0].lower()
    assert int(found["blockNumber"], 16) == 22
    assert read == []
    chain.rpc.close()


def test_a_chain_without_an_index_gets_one_when_it_is_opened(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    for number in range(12):
        chain.log(number % 4, [number % 4, 2])
    indexed = chain.rpc.node.history.logs_indexed
    chain.rpc.close()
    with_index = rows_of(tmp_path)
    store = Store(tmp_path, fsync=False)
    store.rewind({table: [key for key, _ in rows] for table, rows in with_index.items()}, {})
    store.close()
    assert verify(tmp_path).fault is None, "an older version wrote none, and that is no fault"
    chain.rpc = LocalRpc(tmp_path)
    assert chain.rpc.node.history.logs_indexed == indexed
    chain.rpc.close()
    assert rows_of(tmp_path) == with_index


def rows_of(directory: Path) -> dict[bytes, list[tuple[bytes, bytes]]]:
    reader = StoreReader(directory)
    try:
        return {table: list(reader.rows(table)) for table in log_index.TABLES}
    finally:
        reader.close()


def test_terms_that_share_a_hash_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def same_term(_position: int, _item: bytes) -> bytes:
        return b"the same"

    monkeypatch.setattr(log_index, "term", same_term)
    monkeypatch.setattr("chain.node.logs.term", same_term)
    chain = Chain(tmp_path)
    for word in (0, 1, 2, 3, 1, 0):
        chain.log(0, [word])
    query = {"fromBlock": "0x0", "toBlock": "0x20", "topics": ["0x" + WORDS[1].hex()]}
    assert chain.rpc.node.history.logs_indexed > 6
    assert chain.found(query) == chain.expected(query)
    assert len(chain.found(query)) == 2
    chain.rpc.close()


def test_a_segment_of_many_logs_is_written_with_wider_numbers() -> None:
    from chain.node.codec import encode  # noqa: PLC0415

    logs = [[b"\x01" * 20, [WORDS[number % 4]], b""] for number in range(65_540)]
    record = encode([[b"\x01", b"\x52\x08", b"", logs]])
    assert count_logs(record) == 65_540
    rows = segment_rows(7, [record])
    (places,) = rows[PLACES].values()
    assert len(places) == 2 + 13 * 65_540
    wide = rows[TERMS][term(1, WORDS[3]) + (7).to_bytes(8, "big")]
    assert int.from_bytes(wide[-4:], "little") == 65_539
    assert len(wide) == 4 * 16_385


def test_logs_in_a_record_are_where_the_index_says() -> None:
    from chain.node.blocks import read_log  # noqa: PLC0415
    from chain.node.codec import encode  # noqa: PLC0415

    first = [b"\x01" * 20, [], b"a" * 100]
    second = [b"\x02" * 20, [WORDS[0], WORDS[1]], b""]
    third = [b"\x03" * 20, [WORDS[2]], b"\x05"]
    record = encode(
        [[b"\x01", b"\x09", b"", [first, second]], [b"", b"\x09", b"", []], [b"\x01", b"", b"", [third]]]
    )
    found = [(log.transaction, log.index, read_log(record, log.offset)) for log in raw_logs(record)]
    assert [(transaction, index) for transaction, index, _ in found] == [(0, 0), (0, 1), (2, 2)]
    assert [[log.address, list(log.topics), log.data] for _, _, log in found] == [first, second, third]
