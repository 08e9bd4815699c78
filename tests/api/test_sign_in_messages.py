"""EIP-4361 messages: what is written reads back equal, and nothing else is read."""

from __future__ import annotations

import contextlib

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from api.auth.message import MessageMalformed, SignInMessage, read_message

ADDRESS = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"

# The example of EIP-4361, with its statement and resources.
EXAMPLE = f"""example.com wants you to sign in with your Ethereum account:
{ADDRESS}

I accept the ExampleOrg Terms of Service: https://example.com/tos

URI: https://example.com/login
Version: 1
Chain ID: 1
Nonce: 32891756
Issued At: 2021-09-30T16:25:24Z
Resources:
- ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/
- https://example.com/my-web2-claim.json"""


def test_the_example_of_the_standard_is_read() -> None:
    message = read_message(EXAMPLE)
    assert message.domain == "example.com"
    assert message.address == ADDRESS
    assert message.statement == "I accept the ExampleOrg Terms of Service: https://example.com/tos"
    assert message.uri == "https://example.com/login"
    assert (message.chain_id, message.nonce) == (1, "32891756")
    assert message.issued_utc == 1_633_019_124
    assert message.expires_utc is None


def test_a_message_without_a_statement_keeps_both_empty_lines() -> None:
    text = EXAMPLE.replace("I accept the ExampleOrg Terms of Service: https://example.com/tos\n", "")
    assert f"{ADDRESS}\n\n\nURI" in text
    assert read_message(text).statement is None


_times = st.integers(0, 4_000_000_000)
_words = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60)


@given(
    key=st.binary(min_size=32, max_size=32).filter(lambda key: 0 < int.from_bytes(key, "big") < 2**255),
    issued_utc=_times,
    expires_utc=st.none() | _times,
    not_before_utc=st.none() | _times,
    statement=st.none() | _words,
    scheme=st.sampled_from([None, "http", "https"]),
    chain_id=st.integers(1, 10**18),
)
def test_what_is_written_reads_back_equal(
    key: bytes,
    issued_utc: int,
    expires_utc: int | None,
    not_before_utc: int | None,
    statement: str | None,
    scheme: str | None,
    chain_id: int,
) -> None:
    message = SignInMessage(
        domain="127.0.0.1:8000",
        address=str(Account.from_key(key).address),
        uri="http://127.0.0.1:8000",
        chain_id=chain_id,
        nonce="abcdefgh12345678",
        issued_utc=issued_utc,
        expires_utc=expires_utc,
        not_before_utc=not_before_utc,
        statement=statement,
        scheme=scheme,
    )
    assert read_message(message.text()) == message


@given(place=st.integers(0, len(EXAMPLE) - 1), other=st.sampled_from(list("\n\r\t\x00é ：")))
def test_one_odd_character_is_refused_or_changes_what_is_read(place: int, other: str) -> None:
    text = EXAMPLE[:place] + other + EXAMPLE[place + 1 :]
    with contextlib.suppress(MessageMalformed):
        assert text == EXAMPLE or read_message(text) != read_message(EXAMPLE) or place > EXAMPLE.index("Res")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "\n",
        lambda text: "\n" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("Version: 1", "Version: 2"),
        lambda text: text.replace("Chain ID: 1", "Chain ID: 01"),
        lambda text: text.replace("Nonce: 32891756", "Nonce: 3289175"),
        lambda text: text.replace("2021-09-30T", "2021-02-30T"),
        lambda text: text.replace("2021-09-30T16:25:24Z", "2021-09-30 16:25:24"),
        lambda text: text.replace("Issued At", "Expiration Time"),
        lambda text: text.replace(ADDRESS, ADDRESS.lower()),
        lambda text: text.replace("URI: https://example.com/login\n", ""),
        lambda text: text + "\n- not a uri",
        lambda text: text.replace("example.com wants", "example.com  wants"),
        lambda text: text + " " * 3_000,
        lambda _text: "",
    ],
)
def test_a_text_outside_the_grammar_is_refused(change: object) -> None:
    assert callable(change)
    with pytest.raises(MessageMalformed):
        read_message(change(EXAMPLE))
