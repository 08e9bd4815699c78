"""Green acts, and the batches in which a provider signs them.

Every act has a *nullifier*: the hash of who witnessed it and under which number. The platform that hands it
in is not part of it, so the same act is the same nullifier wherever it is claimed; nor is the person, so one
act earns once. Acts and nullifiers stay off chain; the chain carries a root over the batches' digests. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from eth_utils.address import is_checksum_address

from chain.keys import Signer
from registry import merkle
from registry.documents import Json, bytes32, canonical, parse, sha256
from registry.personal.methods import Claim, Method
from registry.refusals import BatchSignatureInvalid, DocumentMalformed
from registry.signing import Domain, TypedMessage, digest_of, signer_of, typed_message

ACTS_MAX: Final = 10_000
_VERSION: Final = 1
_ACT_ID = re.compile(r"[A-Za-z0-9._:/-]{1,100}", re.ASCII)
_KIND = re.compile(r"[a-z0-9-]{1,60}", re.ASCII)
_INT_MAX: Final = 2**63 - 1
_BATCH_FIELDS: Final = (
    ("batchId", "bytes32"),
    ("provider", "address"),
    ("acts", "uint32"),
    ("actsRoot", "bytes32"),
)


@dataclass(frozen=True, slots=True)
class GreenAct:
    """One thing that a person did.

    Parameters
    ----------
    source :
        Who witnessed it (the bus company, the utility), an account, EIP-55. Often the provider itself.
    act_id :
        The witness's own number of the trip, the meter reading, the meeting.
    person :
        Who did it, an account, EIP-55.
    kind :
        A kind of `registry.personal.methods`.
    quantity :
        In the method's unit.
    at_utc :
        When it happened, Unix seconds.

    Raises
    ------
    DocumentMalformed :
        A field that is none.
    """

    source: str
    act_id: str
    person: str
    kind: str
    quantity: int
    at_utc: int

    def __post_init__(self) -> None:
        for name, account in (("source", self.source), ("person", self.person)):
            if not isinstance(account, str) or not is_checksum_address(account):
                raise DocumentMalformed(reason="account of an act", field=name, given=str(account)[:60])
        if not isinstance(self.act_id, str) or not _ACT_ID.fullmatch(self.act_id):
            raise DocumentMalformed(reason="act id", given=ascii(self.act_id)[:120])
        if not isinstance(self.kind, str) or not _KIND.fullmatch(self.kind):
            raise DocumentMalformed(reason="kind of act", given=ascii(self.kind)[:80])
        for name, number in (("quantity", self.quantity), ("at_utc", self.at_utc)):
            if type(number) is not int or not 0 <= number <= _INT_MAX:
                raise DocumentMalformed(reason="number of an act", field=name, given=str(number)[:40])

    def document(self) -> dict[str, Json]:
        """Return the act as JSON."""
        return asdict(self)

    def nullifier(self, method: Method) -> bytes:
        """Return the 32 bytes that are claimed once; of a meeting that counts by its people, once each.

        Upper and lower case are one number: another platform may write it the other way.
        """
        parts: dict[str, Json] = {"act": self.act_id.lower(), "source": self.source}
        if method.claim is Claim.MEETING_PERSON:
            parts["person"] = self.person
        return sha256(b"carat act 1 " + canonical(parts))

    def meeting(self) -> bytes:
        """Return the 32 bytes that name the meeting, however it is counted."""
        parts: dict[str, Json] = {"meeting": self.act_id.lower(), "source": self.source}
        return sha256(b"carat meeting 1 " + canonical(parts))


@dataclass(frozen=True, slots=True)
class ActBatch:
    """Acts that a provider hands in under its signature.

    Parameters
    ----------
    batch_id :
        32 bytes (`chain.ids.request_id`) that the provider made; a retry has the same.
    provider :
        Who signs, an account, EIP-55.
    acts :
        1 to 10,000.

    Raises
    ------
    DocumentMalformed :
        A field that is none.
    """

    batch_id: bytes
    provider: str
    acts: tuple[GreenAct, ...]

    def __post_init__(self) -> None:
        bytes32(self.batch_id)
        if not isinstance(self.provider, str) or not is_checksum_address(self.provider):
            raise DocumentMalformed(reason="provider", given=str(self.provider)[:60])
        if not 0 < len(self.acts) <= ACTS_MAX:
            raise DocumentMalformed(reason="number of acts", acts=len(self.acts), acts_max=ACTS_MAX)

    def content(self) -> bytes:
        """Return the batch as it is stored."""
        acts: list[Json] = [act.document() for act in self.acts]
        batch_id = "0x" + self.batch_id.hex()
        return canonical({"acts": acts, "batch_id": batch_id, "provider": self.provider, "version": _VERSION})

    @classmethod
    def read(cls, content: bytes) -> ActBatch:
        """Read a stored batch; raises DocumentMalformed."""
        document = parse(content)
        names = {"acts", "batch_id", "provider", "version"}
        if not isinstance(document, dict) or set(document) != names or document["version"] != _VERSION:
            raise DocumentMalformed(reason="fields of a batch")
        if not isinstance(document["acts"], list) or not isinstance(document["batch_id"], str):
            raise DocumentMalformed(reason="acts or id of a batch")
        acts = tuple(_read_act(act) for act in document["acts"])
        return cls(bytes32(document["batch_id"]), document["provider"], acts)

    def acts_root(self) -> bytes:
        """Return the Merkle root (`registry.merkle`) over the SHA-256 of each act, in order."""
        return merkle.root([sha256(canonical(act.document())) for act in self.acts])

    def message(self, domain: Domain) -> TypedMessage:
        """Return the EIP-712 message.

        `ActBatch(bytes32 batchId,address provider,uint32 acts,bytes32 actsRoot)`. The domain is that of the
        MicroCarat contract.
        """
        values = {
            "batchId": self.batch_id,
            "provider": self.provider,
            "acts": len(self.acts),
            "actsRoot": self.acts_root(),
        }
        return typed_message(domain, "ActBatch", _BATCH_FIELDS, values)

    def digest(self, domain: Domain) -> bytes:
        """Return the 32 bytes that the provider signs; the chain commits to them."""
        return digest_of(self.message(domain))


def sign_batch(batch: ActBatch, domain: Domain, signer: Signer) -> bytes:
    """Return the provider's 65-byte signature; raises BatchSignatureInvalid for another's key."""
    if signer.address != batch.provider:
        raise BatchSignatureInvalid(claimed=batch.provider, recovered=signer.address)
    return signer.sign_typed(batch.message(domain))


def require_signed(batch: ActBatch, domain: Domain, signature: bytes) -> None:
    """Make sure that the batch's provider signed it; raises BatchSignatureInvalid."""
    recovered = signer_of(batch.message(domain), signature)
    if recovered != batch.provider:
        raise BatchSignatureInvalid(claimed=batch.provider, recovered=recovered or "")


def _read_act(document: Any) -> GreenAct:
    names = {"source", "act_id", "person", "kind", "quantity", "at_utc"}
    if not isinstance(document, Mapping) or set(document) != names:
        raise DocumentMalformed(reason="fields of an act")
    return GreenAct(**document)
