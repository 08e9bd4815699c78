"""Statements of a verifier, signed as EIP-712 says, written out once more by the book."""

from __future__ import annotations

from typing import Any, Final

from coincurve import PrivateKey
from eth_abi import encode
from eth_hash.auto import keccak

from chain.node.node import DEFAULT_CHAIN_ID

_SIGNER: Final = PrivateKey(keccak(b"verifier of the differential test"))
VERIFIER_ADDRESS: Final = keccak(_SIGNER.public_key.format(compressed=False)[1:])[12:]
_DOMAIN: Final = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_EMISSION: Final = (
    "EmissionStatement(bytes32 statementId,bytes32 reportId,address entity,uint16 period,"
    "bytes32 evidenceRoot,uint256 verifiedT,bytes32 documentHash,address verifier)"
)
_REDUCTION: Final = (
    "ReductionStatement(bytes32 statementId,uint32 projectId,uint16 vintage,uint32 batch,"
    "bytes32 evidenceRoot,uint256 baselineT,uint256 projectT,uint256 leakageT,"
    "bytes32 documentHash,address verifier)"
)


def sign_emissions(statement: tuple[Any, ...], contract: bytes, *, wrong: bool) -> bytes:
    """The signature of an emission statement, or of something else where it is to be `wrong`."""
    return _sign(_EMISSION, statement, contract, wrong)


def sign_reductions(statement: tuple[Any, ...], contract: bytes, *, wrong: bool) -> bytes:
    """The signature of a reduction statement, or of something else where it is to be `wrong`."""
    return _sign(_REDUCTION, statement, contract, wrong)


def _sign(kind: str, values: tuple[Any, ...], contract: bytes, wrong: bool) -> bytes:
    types = [field.split()[0] for field in kind[kind.index("(") + 1 : -1].split(",")]
    message = keccak(encode(["bytes32", *types], [keccak(kind.encode()), *values]))
    names = [keccak(_DOMAIN.encode()), keccak(b"CARAT"), keccak(b"1")]
    domain_types = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
    domain = keccak(encode(domain_types, [*names, DEFAULT_CHAIN_ID, contract]))
    digest = keccak(b"\x19\x01" + domain + (keccak(message) if wrong else message))
    signature = _SIGNER.sign_recoverable(digest, hasher=None)
    return signature[:64] + bytes((27 + signature[64],))
