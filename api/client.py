"""A client of the API: what a member's own program does, with the member's key at home.

with ApiClient(url) as api:
    lin = api.sign_in(signer)
    lin.perform("/claims/1", {})
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx

from chain.keys import Signer
from chain.refusals import NamedRefusal, Refusal

_ATTEMPTS: Final = 5
_AWAY: Final = 503
_PAUSE_S: Final = 0.5

Body = dict[str, Any]


class ApiUnreachable(Refusal):
    """The API does not answer; `carat up` starts it."""


class ApiRefused(NamedRefusal):
    """The API refuses the request."""


class ApiClient:
    """A connection to one API; not signed in."""

    def __init__(self, url: str, timeout_s: float = 30.0) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def ask(self, method: str, path: str, body: Body | None = None, token: str = "") -> Body:
        """Send one request and return the answer's JSON.

        A request that finds the chain or the exchange away is sent again a few times: every act has its id.

        Raises
        ------
        ApiRefused, ApiUnreachable
        """
        headers = {"authorization": f"Bearer {token}"} if token else {}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                response = self._http.request(method, path, json=body, headers=headers)
            except httpx.TransportError as error:
                raise ApiUnreachable(url=self.url, reason=type(error).__name__) from error
            if response.status_code != _AWAY or attempt == _ATTEMPTS:
                break
            time.sleep(_PAUSE_S)
        if response.is_success:
            document: Body = response.json()
            return document
        raise _refusal(response)

    def token(self, signer: Signer) -> Body:
        """Sign in with a key; return the answer with `access_token`, `expires_utc` and `role`."""
        proposal = self.ask("POST", "/sign-in/nonce", {"address": signer.address})
        signature = "0x" + signer.sign_text(proposal["message"]).hex()
        return self.ask("POST", "/sign-in", {"message": proposal["message"], "signature": signature})

    def sign_in(self, signer: Signer) -> SignedIn:
        """Sign in with a key and go on as its account."""
        return SignedIn(self, signer, self.token(signer)["access_token"])


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The API as one account sees it."""

    api: ApiClient
    signer: Signer
    token: str

    def ask(self, method: str, path: str, body: Body | None = None) -> Body:
        """Send one request as this account; raises like `ApiClient.ask`."""
        return self.api.ask(method, path, body, self.token)

    def perform(self, path: str, body: Body) -> Body:
        """Do an act on chain: have it prepared, sign it here, send it; raises like `ApiClient.ask`."""
        unsigned = self.ask("POST", f"{path}/transaction", body)
        raw = self.signer.sign_transaction(unsigned)
        return self.ask("PUT", path, {**body, "signed_transaction": "0x" + raw.hex()})


def _refusal(response: httpx.Response) -> ApiRefused:
    try:
        problem = response.json()
        code, facts = str(problem["code"]), problem.get("facts", {})
    except (ValueError, KeyError, TypeError):
        return ApiRefused("ApiRefused", {"status": response.status_code})
    if not isinstance(facts, dict):
        facts = {}
    return ApiRefused(code, {"status": response.status_code, **facts})
