"""No record can be changed without the verification naming it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest
from coincurve import PrivateKey

from chain.node import log_index
from chain.node.authority import Authority
from chain.node.blocks import decode_header
from chain.node.formats import checksum
from chain.node.history import number_key
from chain.node.node import Deployers
from chain.node.reachable import Walk
from chain.node.reader import StoreMissing
from chain.node.store import TABLES, StoreFormatUnknown, pack_meta
from chain.node.verify import main, verify
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, COUNTER, LOGGER, REVERTER, init_code, signed

BY_NUMBER = (b"headers", b"bodies", b"receipts", b"seals", b"rules")


def deployers(*keys: int) -> Deployers:
    return Deployers(frozenset(bytes.fromhex(ADDRESSES[key][2:]) for key in keys))


def write_a_chain(directory: Path) -> int:
    """Deployments, logs, a revert, an empty block, changed rules, blocks gone back over; its height."""
    rpc = LocalRpc(directory, deployers=deployers(0))
    counter, reverter, logger = (rpc.deploy(code) for code in (COUNTER, REVERTER, LOGGER))
    rpc.call("evm_snapshot")
    rpc.send(signed(2, 0, counter, b"\x05" * 32))
    rpc.call("evm_revert", "0x1")
    rpc.call("evm_mine")
    rpc.send(signed(1, 0, counter, b"\x01" * 32, gasPrice=0))
    rpc.send(signed(1, 1, reverter, b"no"))
    raws = [signed(3, n, counter if n % 2 else logger, bytes((n,)) * 32) for n in range(6)]
    rpc.batch(*[("eth_sendRawTransaction", ["0x" + raw.hex()]) for raw in raws])
    rpc.close()
    rpc = LocalRpc(directory, deployers=deployers(0, 3))
    rpc.send(signed(1, 2, ADDRESSES[2], value=5))
    height = rpc.height
    rpc.close()
    return height


class Chain:
    """A chain on disk whose records can be changed one at a time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.height = write_a_chain(directory)

    def rows(self, table: bytes) -> list[tuple[bytes, bytes]]:
        with lmdb.open(str(self.directory / "chain.lmdb"), max_dbs=16) as env:
            db = env.open_db(table)
            with env.begin(db=db) as txn:
                return list(txn.cursor())

    def needed_state(self) -> set[bytes]:
        """The state records that some block's state needs."""
        roots = [decode_header(header).state_root for _, header in self.rows(b"headers")]
        walk = Walk(dict(self.rows(b"state")).get, roots)
        walk.run()
        return walk.seen

    def put(self, table: bytes, key: bytes, value: bytes | None) -> None:
        with lmdb.open(str(self.directory / "chain.lmdb"), max_dbs=16) as env:
            db = env.open_db(table)
            with env.begin(write=True, db=db) as txn:
                if value is None:
                    txn.delete(key)
                else:
                    txn.put(key, value)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_index, "SEGMENT_BLOCKS", 4)  # so that the index of logs has something in it
        chain = Chain(tmp_path_factory.mktemp("verified"))
        yield chain
        assert verify(chain.directory).ok, "each test has put back what it changed"


def flipped(data: bytes, at: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    return bytes(changed)


def test_a_chain_as_the_node_wrote_it_is_in_order(chain: Chain) -> None:
    report = verify(chain.directory)
    assert report.fault is None
    assert (report.blocks, report.transactions) == (chain.height + 1, 12)
    assert report.state_records == len(chain.rows(b"state"))
    assert report.head == "0x" + {n: h for h, n in chain.rows(b"numbers")}[number_key(chain.height)].hex()


@pytest.mark.parametrize("table", TABLES, ids=bytes.decode)
def test_one_changed_bit_in_any_record_is_found_and_the_record_named(chain: Chain, table: bytes) -> None:
    dice = random.Random(table)
    rows = chain.rows(table)
    assert rows
    needed = chain.needed_state()
    for key, value in rows:
        chain.put(table, key, flipped(value, dice.randrange(len(value)), dice.randrange(8)))
        fault = verify(chain.directory).fault
        chain.put(table, key, value)
        assert fault is not None
        assert fault.record == table.decode()
        # The clock is of no block, nor is state of blocks that were gone back over.
        assert (fault.block is None) == (table == b"meta" or (table == b"state" and key not in needed))
        if table in BY_NUMBER:
            assert (fault.block, fault.key) == (int.from_bytes(key, "big"), "0x" + key.hex())


@pytest.mark.parametrize("table", TABLES, ids=bytes.decode)
def test_a_record_under_another_key_is_found_and_its_kind_named(chain: Chain, table: bytes) -> None:
    dice = random.Random(table)
    for key, value in dice.sample(rows := chain.rows(table), min(3, len(rows))):
        if (table, key) == (b"meta", b"format"):
            continue  # a store that does not say its format is refused
        other = flipped(key, dice.randrange(len(key)), 7)
        chain.put(table, key, None)
        chain.put(table, other, value)
        fault = verify(chain.directory).fault
        chain.put(table, other, None)
        chain.put(table, key, value)
        assert fault is not None
        assert fault.record == table.decode()


@pytest.mark.parametrize("table", [b"headers", b"bodies", b"receipts", b"seals", b"numbers", b"transactions"])
def test_a_record_too_many_is_found(chain: Chain, table: bytes) -> None:
    _, value = chain.rows(table)[0]
    extra = number_key(chain.height + 1) if table in BY_NUMBER else b"\x01" * 32
    chain.put(table, extra, value)
    fault = verify(chain.directory).fault
    chain.put(table, extra, None)
    assert fault is not None
    assert (fault.record, fault.key) == (table.decode(), "0x" + extra.hex())


def test_another_authority_s_chain_is_not_taken_for_this_one_s(chain: Chain) -> None:
    mine = checksum(Authority(b"\x01" * 32).address)
    fault = verify(chain.directory, mine).fault
    assert fault is not None
    assert (fault.record, mine in fault.why) == ("meta", True)
    sealed_by = verify(chain.directory).authority
    assert verify(chain.directory, sealed_by.lower()).ok


def test_a_block_that_a_stranger_sealed_is_named(chain: Chain) -> None:
    last = number_key(chain.height)
    seal = dict(chain.rows(b"seals"))[last]
    block_hash = {n: h for h, n in chain.rows(b"numbers")}[last]
    stranger = Authority(PrivateKey().secret)
    chain.put(b"seals", last, stranger.seal(block_hash))
    fault = verify(chain.directory).fault
    chain.put(b"seals", last, seal)
    assert fault is not None
    assert (fault.block, fault.record) == (chain.height, "seals")
    assert checksum(stranger.address) in fault.why


def test_a_state_that_the_authority_sealed_but_nobody_executed_is_found(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path)
    rpc.send(signed(0, 0, data=init_code(COUNTER)))
    # As a dishonest authority would: wealth out of nothing, in the next block's state root.
    rpc.node._head_world().set_balance(bytes(20), 10**18)  # type: ignore[arg-type]
    rpc.node._head_world()._undo.clear()
    rpc.send(signed(0, 1, ADDRESSES[1]))
    rpc.close()
    fault = verify(tmp_path).fault
    assert fault is not None
    assert (fault.block, fault.record) == (2, "headers")
    assert "state root" in fault.why


def test_beside_a_running_node_the_chain_is_verified_as_it_was_at_the_start(tmp_path: Path) -> None:
    from chain.node import start_node  # noqa: PLC0415

    with start_node(tmp_path):
        assert verify(tmp_path).ok


def test_the_command_says_how_it_went_by_its_exit_status(
    chain: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(chain.directory)]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    key, value = chain.rows(b"bodies")[1]
    chain.put(b"bodies", key, value[:-1])
    assert main(["--data", str(chain.directory)]) == 1
    chain.put(b"bodies", key, value)
    assert json.loads(capsys.readouterr().out)["fault"]["record"] == "bodies"
    assert main(["--data", str(tmp_path)]) == 2


def test_where_there_is_no_chain_or_another_format_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        verify(tmp_path)
    LocalRpc(tmp_path).close()
    with lmdb.open(str(tmp_path / "chain.lmdb"), max_dbs=16) as env:
        db = env.open_db(b"meta")
        with env.begin(write=True, db=db) as txn:
            txn.put(b"format", pack_meta("format", 99))
    with pytest.raises(StoreFormatUnknown):
        verify(tmp_path)


def test_the_carat_command_names_the_record_and_ends_with_one(chain: Chain, tmp_path: Path) -> None:
    from typer.testing import CliRunner  # noqa: PLC0415

    from api.cli.app import app  # noqa: PLC0415

    (tmp_path / "chain").symlink_to(chain.directory)
    arguments = ["chain", "verify", "--data-dir", str(tmp_path), "--json"]
    sound = CliRunner().invoke(app, arguments)
    assert (sound.exit_code, json.loads(sound.stdout)["blocks"]) == (0, chain.height + 1)
    key, value = chain.rows(b"receipts")[2]
    chain.put(b"receipts", key, flipped(value, 1, 0))
    changed = CliRunner().invoke(app, arguments)
    chain.put(b"receipts", key, value)
    assert changed.exit_code == 1
    assert json.loads(changed.stdout)["fault"]["record"] == "receipts"
