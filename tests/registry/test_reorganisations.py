"""A chain that replaces its newest blocks: the tables end as if it had never been otherwise."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import select

from chain.events import ChainEvent, Header
from chain.refusals import ChainUnreachable
from registry.projection import digest, store, tables
from registry.projection.store import Projection, open_engine
from registry.refusals import ProjectionRefused
from tests.registry.world import FIRM, OTHER, MadeUpChain

IDENTITY = "1/0x01"


class ForkingChain(MadeUpChain):
    """A made-up chain whose blocks are linked by hashes, and may be replaced."""

    def __init__(self) -> None:
        super().__init__()
        self._branch = 0
        self._marks: dict[int, int] = dict.fromkeys(range(self._block + 1), 0)
        self.open(FIRM).open(OTHER).issue(FIRM, 10_000).issue(OTHER, 10_000)

    def block(self) -> ForkingChain:
        super().block()
        self._marks[self._block] = self._branch
        return self

    def grow(self, random: Random, blocks: int) -> None:
        """Add blocks with a few transfers, surrenders and new accounts each; some stay empty."""
        for _ in range(blocks):
            self.block()
            for _ in range(random.randint(0, 4)):
                kind = random.random()
                if kind < 0.6:
                    sender, to = random.sample([FIRM, OTHER], 2)
                    self.transfer(sender, to, random.randint(1, 9))
                elif kind < 0.8:
                    stranger = f"0x{random.randint(1, 6):040x}"
                    self.open(
                        stranger, kind=random.randint(1, 4)
                    )  # may be there already: then it is put anew
                else:
                    self.mint(random.choice([FIRM, OTHER]), random.randint(1, 99))

    def reorganise(self, depth: int) -> None:
        """Take the newest blocks away; what grows now is another branch."""
        fork = max(self.first_block, self._block - depth)
        self.events = [event for event in self.events if event.block <= fork]
        self._branch += 1
        self._block, self._log_index = fork, 1_000

    def headers(self, numbers: Sequence[int]) -> list[Header | None]:
        hashes = ["0x00"]
        for number in range(self._block + 1):
            hashes.append("0x" + sha256(f"{hashes[-1]}{self._marks[number]}".encode()).hexdigest())
        return [
            Header(number, hashes[number + 1], hashes[number], 1_800_000_000 + number)
            if number <= self._block
            else None
            for number in numbers
        ]

    def read_blocks(self, headers: Sequence[Header]) -> list[list[ChainEvent]]:
        return [[event for event in self.events if event.block == header.number] for header in headers]


def from_scratch(chain: ForkingChain) -> dict[str, str]:
    whole = Projection(open_engine("sqlite://"), IDENTITY)
    whole.catch_up(chain)
    return digest.digests(whole.engine)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    turns=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), min_size=1, max_size=8),
    keep_blocks=st.integers(1, 10),
)
def test_after_any_reorganisations_the_tables_are_those_of_a_rebuild(
    seed: int, turns: list[tuple[int, int]], keep_blocks: int
) -> None:
    random, chain = Random(seed), ForkingChain()
    followed = Projection(open_engine("sqlite://"), IDENTITY, keep_blocks)
    chain.grow(random, 5)
    followed.catch_up(chain)
    for depth, grown in turns:
        if depth:
            chain.reorganise(depth)
        chain.grow(random, max(grown, depth))  # the longer branch wins
        followed.catch_up(chain)
        assert digest.digests(followed.engine) == from_scratch(chain)


def test_ten_blocks_are_undone_and_redone_and_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    random, chain = Random(1), ForkingChain()
    projection = Projection(open_engine("sqlite://"), IDENTITY, keep_blocks=20)
    chain.grow(random, 40)
    projection.catch_up(chain)
    head = chain.head()
    chain.reorganise(10)
    chain.grow(random, 12)
    with caplog.at_level(logging.WARNING, "carat.projection"):
        projection.catch_up(chain)
    happened = projection.last_reorganisation
    assert happened is not None
    assert (happened.fork_block, happened.from_block, happened.blocks) == (head - 10, head, 10)
    assert "10 blocks above" in caplog.text
    assert digest.digests(projection.engine) == from_scratch(chain)


def test_one_deeper_than_what_is_kept_builds_the_tables_anew_and_rings(
    caplog: pytest.LogCaptureFixture,
) -> None:
    random, chain = Random(2), ForkingChain()
    projection = Projection(open_engine("sqlite://"), IDENTITY, keep_blocks=4)
    for _ in range(6):
        chain.grow(random, 5)
        projection.catch_up(chain)
    chain.reorganise(25)
    chain.grow(random, 40)
    with caplog.at_level(logging.ERROR, "carat.projection"):
        projection.catch_up(chain)
    assert "built anew" in caplog.text
    assert projection.last_reorganisation is not None
    assert projection.last_reorganisation.fork_block == -1
    assert digest.digests(projection.engine) == from_scratch(chain)


@pytest.mark.parametrize("depth", [3, 30])
def test_who_reads_meanwhile_sees_the_old_branch_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    random, chain = Random(3), ForkingChain()
    engine = open_engine(f"sqlite:///{tmp_path / 'p.sqlite'}")
    projection = Projection(engine, IDENTITY, keep_blocks=8)
    chain.grow(random, 50)
    projection.catch_up(chain)
    before = digest.digests(engine)
    chain.reorganise(depth)
    chain.grow(random, depth + 2)
    seen = []
    apply = store.apply

    def looking(changes: object, event: ChainEvent) -> None:
        seen.append(digest.digests(engine))
        apply(changes, event)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "apply", looking)
    projection.catch_up(chain)
    assert len(seen) > 3
    assert all(each == before for each in seen), "a state between the two branches was to be read"
    monkeypatch.undo()
    assert digest.digests(engine) == from_scratch(chain) != before
    engine.dispose()


def test_a_crash_in_the_middle_leaves_the_old_branch_and_the_next_try_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random, chain = Random(4), ForkingChain()
    engine = open_engine(f"sqlite:///{tmp_path / 'p.sqlite'}")
    projection = Projection(engine, IDENTITY)
    chain.grow(random, 30)
    projection.catch_up(chain)
    before = digest.digests(engine)
    chain.reorganise(6)
    chain.grow(random, 8)
    apply, left = store.apply, [5]

    def failing(changes: object, event: ChainEvent) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        apply(changes, event)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "apply", failing)
    with pytest.raises(KeyboardInterrupt):
        projection.catch_up(chain)
    assert digest.digests(engine) == before
    monkeypatch.undo()
    Projection(engine, IDENTITY).catch_up(chain)
    assert digest.digests(engine) == from_scratch(chain)
    engine.dispose()


def test_two_processes_that_meet_a_reorganisation_redo_it_once(tmp_path: Path) -> None:
    random, chain = Random(5), ForkingChain()
    url = f"sqlite:///{tmp_path / 'p.sqlite'}"
    first, second = (Projection(open_engine(url), IDENTITY) for _ in range(2))
    chain.grow(random, 20)
    first.catch_up(chain)
    chain.reorganise(5)
    chain.grow(random, 7)

    class Overtaken(ForkingChain):
        def read_blocks(self, headers: Sequence[Header]) -> list[list[ChainEvent]]:
            first.catch_up(chain)  # after this process has seen the fork, and before it writes
            return super().read_blocks(headers)

    overtaken = Overtaken()
    overtaken.__dict__.update(chain.__dict__)
    second.catch_up(overtaken)
    assert second.last_reorganisation is None
    assert digest.digests(second.engine) == from_scratch(chain)
    first.engine.dispose()
    second.engine.dispose()


def test_a_node_that_lags_is_no_reorganisation() -> None:
    random, chain = Random(6), ForkingChain()
    projection = Projection(open_engine("sqlite://"), IDENTITY)
    chain.grow(random, 20)
    projection.catch_up(chain)
    lagging = ForkingChain()
    lagging.__dict__.update(chain.__dict__)
    lagging._block = chain.head() - 7
    lagging.events = [event for event in chain.events if event.block <= lagging.head()]
    with pytest.raises(ProjectionRefused):
        projection.catch_up(lagging)
    lagging._block = lagging.first_block
    with pytest.raises(ProjectionRefused):
        projection.catch_up(lagging)
    assert projection.last_reorganisation is None
    assert digest.digests(projection.engine) == from_scratch(chain)


def test_a_branch_that_ends_lower_is_followed_down() -> None:
    random, chain = Random(7), ForkingChain()
    projection = Projection(open_engine("sqlite://"), IDENTITY)
    chain.grow(random, 20)
    projection.catch_up(chain)
    chain.reorganise(8)
    chain.grow(random, 3)
    projection.catch_up(chain)
    assert projection.block() == chain.head()
    assert digest.digests(projection.engine) == from_scratch(chain)


class MovingChain(ForkingChain):
    """Replaces its newest blocks between two questions of one reading."""

    moves = 0

    def headers(self, numbers: Sequence[int]) -> list[Header | None]:
        answer = super().headers(numbers)
        if self.moves and len(numbers) > 1:
            self.moves -= 1
            self.reorganise(3)
            self.grow(Random(self.moves), 5)
        return answer

    def read_blocks(self, headers: Sequence[Header]) -> list[list[ChainEvent]]:
        known = {each.hash for each in super().headers(range(self.head() + 1)) if each is not None}
        if any(header.hash not in known for header in headers):
            raise ChainUnreachable(reason="unknown block")
        return super().read_blocks(headers)


def test_a_chain_that_moves_while_it_is_read_mixes_no_branches() -> None:
    random, chain = Random(8), MovingChain()
    projection = Projection(open_engine("sqlite://"), IDENTITY)
    for _ in range(10):
        chain.grow(random, 6)
        chain.moves = 2
        for _ in range(4):
            try:
                projection.catch_up(chain)
            except (ChainUnreachable, ProjectionRefused):
                continue
        projection.catch_up(chain)
        assert digest.digests(projection.engine) == from_scratch(chain)


def test_what_is_kept_is_bounded() -> None:
    random, chain = Random(9), ForkingChain()
    projection = Projection(open_engine("sqlite://"), IDENTITY, keep_blocks=6)
    for _ in range(20):
        chain.grow(random, 3)
        projection.catch_up(chain)
    with projection.session() as session:
        kept: Iterable[tables.Kept] = session.exec(select(tables.Kept)).all()
        assert 6 <= len(list(kept)) <= 7
