"""Actors of tests: somebody with a key who speaks to the API as a person's wallet would."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx

from chain.keys import Signer


class Actor:
    """A signer who is signed in, and signs acts at home.

    Parameters
    ----------
    http :
        A client of the API.
    signer :
        The actor's key.
    """

    def __init__(self, http: httpx.Client, signer: Signer) -> None:
        self.http = http
        self.signer = signer
        self.address = signer.address
        self.token = self.sign_in()["access_token"]

    def sign_in(self) -> dict[str, Any]:
        """Sign in and return the answer."""
        proposal = self.http.post("/sign-in/nonce", json={"address": self.address}).raise_for_status().json()
        signature = "0x" + self.signer.sign_text(proposal["message"]).hex()
        body = {"message": proposal["message"], "signature": signature}
        answer: dict[str, Any] = self.http.post("/sign-in", json=body).raise_for_status().json()
        return answer

    @property
    def headers(self) -> dict[str, str]:
        """The sign-in token, as a header."""
        return {"Authorization": f"Bearer {self.token}"}

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send any request, signed in."""
        return self.http.request(method, path, headers=self.headers, **more)

    def get(self, path: str, **query: Any) -> Any:
        """Return what a GET answers; it must succeed."""
        response = self.request("GET", path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def put(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """PUT something that needs no signature."""
        return self.request("PUT", path, json=body)

    def sign(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Have an act prepared, sign it, and return the body of its PUT."""
        prepared = self.request("POST", f"{path}/transaction", json=body)
        assert prepared.status_code == 200, prepared.text
        raw = self.signer.sign_transaction(prepared.json())
        return {**body, "signed_transaction": "0x" + raw.hex()}

    def act(self, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Do an act on chain: prepare, sign, PUT."""
        signed = self.sign(path, body or {})
        return self.put(path, signed)

    def done(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Do an act on chain and return its record; it must be created."""
        response = self.act(path, body)
        assert response.status_code == 201, f"{path}: {response.status_code} {response.text}"
        return response.json()


def fresh(prefix: str) -> str:
    """Return a path of the resource with an id that nobody used."""
    return f"/{prefix}/{uuid4()}"
