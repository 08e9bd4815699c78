"""Sign-in: a wallet's signature (EIP-4361) against a short-lived token."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.auth.message import MESSAGE_CHARS_MAX
from api.auth.roles import EVERYBODY
from api.dependencies import NowDep, Principal, ServicesDep, require
from api.fields import Address, Schema, Signature, example
from api.problems import refusals
from api.routing import new_router

router = new_router("sign-in")


class MessageRequest(Schema):
    """Who wants to sign in."""

    model_config = example({"address": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"})

    address: Address


class MessageProposal(Schema):
    """A message to sign, complete; a wallet may also make its own with this nonce."""

    message: str
    nonce: str
    expires_utc: int


class SignInRequest(Schema):
    """The message and its signature (EIP-191)."""

    message: Annotated[str, Field(min_length=1, max_length=MESSAGE_CHARS_MAX)]
    signature: Signature


class SignInAnswer(Schema):
    """A token for a few minutes. Send it as `Authorization: Bearer ...`."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  (a word of RFC 6750)
    expires_utc: int
    address: str
    role: str


class WhoAmI(Schema):
    """Who the token says that you are, and what the ledger says that is."""

    address: str
    role: str


@router.post(
    "/sign-in/nonce",
    summary="Ask for a message to sign",
    responses=refusals({413: "RequestTooLarge."}, public=True),
)
def propose_sign_in(body: MessageRequest, services: ServicesDep, now: NowDep) -> MessageProposal:
    """Give a fresh EIP-4361 message with a nonce that is good once, for some minutes."""
    message = services.sign_in.propose(body.address, now)
    return MessageProposal(
        message=message.text(), nonce=message.nonce, expires_utc=message.expires_utc or now
    )


@router.post(
    "/sign-in",
    summary="Sign in",
    responses=refusals(
        {401: "SignInRefused.", 413: "RequestTooLarge.", 422: "MessageMalformed, RequestMalformed."},
        public=True,
    ),
)
def sign_in(body: SignInRequest, services: ServicesDep, now: NowDep) -> SignInAnswer:
    """Exchange a signed message for a token. The role is the account's kind in the ledger."""
    text, token = services.sign_in.accept(body.message, bytes.fromhex(body.signature[2:]), now)
    return SignInAnswer(
        access_token=text,
        expires_utc=token.expires_utc,
        address=token.account,
        role=services.roles.role_of(token.account),
    )


@router.get("/me", summary="Who am I", responses=refusals())
def who_am_i(principal: Annotated[Principal, require(*EVERYBODY)]) -> WhoAmI:
    """Say what the token and the ledger say of its bearer."""
    return WhoAmI(address=principal.address, role=principal.role)
