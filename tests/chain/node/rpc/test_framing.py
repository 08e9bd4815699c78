"""Messages are found in a stream however it is cut."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.node.framing import Framer, FramingLost

texts = st.text(st.sampled_from('a"\\{}[] \n\té字'), max_size=12)
values = st.recursive(
    st.one_of(st.none(), st.integers(-9, 9), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
messages = st.one_of(st.lists(values, max_size=3), st.dictionaries(texts, values, max_size=3))
blanks = st.text(st.sampled_from(" \t\r\n"), max_size=3)


@given(sent=st.lists(st.tuples(blanks, messages), max_size=6), cuts=st.lists(st.integers(1, 9)), end=blanks)
def test_messages_come_out_as_they_went_in(sent: list[tuple[str, Any]], cuts: list[int], end: str) -> None:
    stream = b"".join(blank.encode() + orjson.dumps(message) for blank, message in sent) + end.encode()
    framer, found, at = Framer(1_000_000), [], 0
    for size in [*cuts, len(stream) + 1]:
        found += framer.feed(stream[at : at + size])
        at += size
    assert [orjson.loads(each) for each in found] == [message for _, message in sent]


@pytest.mark.parametrize("stream", [b"5", b'  "text"', b"null", b"}", b'{"a": 1}x', b"\xff"])
def test_what_begins_no_message_is_refused(stream: bytes) -> None:
    framer = Framer(1_000)
    with pytest.raises(FramingLost):
        list(framer.feed(stream))
    assert not framer.is_large


def test_a_message_that_is_too_long_is_refused_before_it_ends() -> None:
    framer = Framer(1_000)
    with pytest.raises(FramingLost, match="larger than 1000 bytes"):
        list(framer.feed(b'{"a": "' + b"x" * 1_000))
    assert framer.is_large


def test_many_small_pieces_cost_no_more_than_one() -> None:
    message = b'["' + b"ab" * 1_000_000 + b'"]'
    framer = Framer(1 << 30)
    found = [each for at in range(0, len(message), 500) for each in framer.feed(message[at : at + 500])]
    assert found == [message]  # had every piece looked at all before it, this would not end
