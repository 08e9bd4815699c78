"""Sign-in: a signature against a token; every part of the message counts."""

from __future__ import annotations

from dataclasses import replace

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth.message import SignInMessage
from api.auth.nonces import Nonces, SignInBusy, SignInRefused
from api.auth.sign_in import SignIn
from api.auth.tokens import TokenExpired, TokenMalformed, Tokens
from chain.keys import Keyring, Signer

NOW = 1_800_000_000
SECRET = b"s" * 32


@pytest.fixture
def desk() -> SignIn:
    return SignIn(
        domain="127.0.0.1:8000",
        uri="http://127.0.0.1:8000",
        chain_id=1_337,
        nonces=Nonces(SECRET, ttl_s=300, used_max=3),
        tokens=Tokens(SECRET, "127.0.0.1:8000", ttl_s=900),
    )


@pytest.fixture
def signer() -> Signer:
    return Keyring(b"k" * 32).signer("firm:A")


def _signed(message: SignInMessage, signer: Signer) -> tuple[str, bytes]:
    return message.text(), signer.sign_text(message.text())


def test_a_signed_message_gives_a_token_of_its_account(desk: SignIn, signer: Signer) -> None:
    text, signature = _signed(desk.propose(signer.address, NOW), signer)
    token_text, token = desk.accept(text, signature, NOW + 10)
    assert desk.tokens.read(token_text, NOW + 20) == token
    assert (token.account, token.expires_utc) == (signer.address, NOW + 10 + 900)


def test_a_message_signs_in_once(desk: SignIn, signer: Signer) -> None:
    text, signature = _signed(desk.propose(signer.address, NOW), signer)
    desk.accept(text, signature, NOW)
    with pytest.raises(SignInRefused, match="used before"):
        desk.accept(text, signature, NOW)


def test_a_wrong_signature_uses_no_nonce_up(desk: SignIn, signer: Signer) -> None:
    message = desk.propose(signer.address, NOW)
    other = Keyring(b"o" * 32).signer("firm:A")
    with pytest.raises(SignInRefused, match="another key"):
        desk.accept(message.text(), other.sign_text(message.text()), NOW)
    desk.accept(*_signed(message, signer), NOW)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"domain": "evil.example"}, "another domain"),
        ({"uri": "http://evil.example"}, "another URI"),
        ({"scheme": "https"}, "another scheme"),
        ({"chain_id": 1}, "another chain"),
        ({"issued_utc": NOW + 120}, "in the future"),
        ({"expires_utc": NOW - 1}, "expired"),
        ({"not_before_utc": NOW + 120}, "not yet"),
        ({"nonce": "a" * 58}, "not given out here"),
        ({"nonce": "abcdefgh"}, "not given out here"),
    ],
)
def test_a_message_for_somewhere_else_is_refused(
    desk: SignIn, signer: Signer, change: dict[str, object], reason: str
) -> None:
    message = replace(desk.propose(signer.address, NOW), **change)  # type: ignore[arg-type]
    with pytest.raises(SignInRefused, match=reason):
        desk.accept(*_signed(message, signer), NOW)


def test_an_old_nonce_is_refused_even_in_a_message_without_expiry(desk: SignIn, signer: Signer) -> None:
    message = replace(desk.propose(signer.address, NOW), expires_utc=None)
    with pytest.raises(SignInRefused, match="nonce has expired"):
        desk.accept(*_signed(message, signer), NOW + 301)


@pytest.mark.parametrize("signature", [b"", b"\0" * 65, b"\xff" * 65, b"\x01" * 64])
def test_bytes_that_are_no_signature_are_refused(desk: SignIn, signer: Signer, signature: bytes) -> None:
    with pytest.raises(SignInRefused):
        desk.accept(desk.propose(signer.address, NOW).text(), signature, NOW)


def test_used_nonces_are_remembered_up_to_a_bound_and_forgotten_when_expired() -> None:
    nonces = Nonces(SECRET, ttl_s=300, used_max=3)
    given_out = [nonces.give(NOW)[0] for _ in range(4)]
    for nonce in given_out[:3]:
        nonces.take(nonce, NOW)
    with pytest.raises(SignInBusy):
        nonces.take(given_out[3], NOW)
    later = NOW + 301
    nonces.take(nonces.give(later)[0], later)


@given(place=st.integers(0, 57), digit=st.sampled_from("0123456789abcdef"))
def test_a_nonce_with_one_other_digit_is_not_ours(place: int, digit: str) -> None:
    nonces = Nonces(SECRET, ttl_s=300, used_max=3)
    nonce, _ = nonces.give(NOW)
    other = nonce[:place] + digit + nonce[place + 1 :]
    if other != nonce:
        with pytest.raises(SignInRefused, match="not given out"):
            nonces.take(other, NOW)


def test_a_token_ends_at_its_second() -> None:
    tokens = Tokens(SECRET, "here", ttl_s=900)
    text, token = tokens.issue("0xA", NOW)
    assert tokens.read(text, token.expires_utc - 1) == token
    with pytest.raises(TokenExpired) as refusal:
        tokens.read(text, token.expires_utc)
    assert refusal.value.facts == {"expired_utc": NOW + 900, "now_utc": NOW + 900}


@given(st.text(max_size=60))
def test_a_text_that_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(TokenMalformed):
        Tokens(SECRET, "here", ttl_s=900).read(text, NOW)


def test_tokens_of_others_are_refused() -> None:
    tokens = Tokens(SECRET, "here", ttl_s=900)
    foreign = [
        Tokens(b"t" * 32, "here", ttl_s=900).issue("0xA", NOW)[0],
        Tokens(SECRET, "elsewhere", ttl_s=900).issue("0xA", NOW)[0],
        jwt.encode({"sub": "0xA", "aud": "here", "iss": "carat", "exp": NOW + 9}, SECRET, "HS256"),
        jwt.encode({"sub": "0xA", "aud": "here", "iss": "carat"}, None, "none"),
    ]
    for text in foreign:
        with pytest.raises(TokenMalformed):
            tokens.read(text, NOW)
