"""`carat sign-in`: a token for one of this stack's own keys, as a wallet would get it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from api.cli.options import DEFAULT_DATA_DIR, DataDir, Json
from api.cli.output import errors, print_json
from api.cli.stack_here import require_keyring, require_url
from chain.refusals import Refusal

if TYPE_CHECKING:
    from chain.keys import Keyring


class RoleUnknown(Refusal):
    """The seeded market has no member in this role; name a key by --label."""


class WhoMissing(Refusal):
    """Say who signs in: by --role or by --label."""


def sign_in(
    role: Annotated[str | None, typer.Option(help="A role of the seeded market: its first member.")] = None,
    label: Annotated[str | None, typer.Option(help="A key's name, as `carat keys` shows it.")] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: Json = False,
) -> None:
    """Sign in to the running API with a key of this stack's keyring, and print the token.

    The API proposes a message (EIP-4361), the key signs it here, and the API answers with a token for some
    minutes: export TOKEN=$(carat sign-in --role firm), then curl -H "Authorization: Bearer $TOKEN".
    """
    if (role is None) == (label is None):
        raise WhoMissing(role=role or "", label=label or "")
    url = require_url(data_dir, "api")
    keyring = require_keyring(data_dir)
    signer = keyring.signer(label or _label_of(role or "", keyring))
    from api.client import ApiClient  # noqa: PLC0415

    with ApiClient(url) as api:
        answer = api.token(signer)
    if as_json:
        print_json(answer)
        return
    until = time.strftime("%H:%M:%S", time.localtime(answer["expires_utc"]))
    errors.print(f"{escape(answer['role'])} {answer['address']}, until {until}", highlight=False)
    typer.echo(answer["access_token"])


def _label_of(role: str, keyring: Keyring) -> str:
    from api.seed.members import members_of  # noqa: PLC0415

    members = members_of(keyring)
    for member in members:
        if member.role == role:
            return member.label
    raise RoleUnknown(role=role, roles=" ".join(dict.fromkeys(member.role for member in members)))
