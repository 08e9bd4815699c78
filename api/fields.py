"""The values that requests may carry, each with its bounds.

Everything that a client sends is one of these, so that nothing unbounded reaches a database, a contract
or the exchange. Integers are strict (no text, no float, no boolean) and fit 63 bits, which is what SQL
can hold.
"""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from eth_utils.address import to_checksum_address
from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chain.ids import request_id
from chain.units import UnitId

INT63_MAX: Final = 2**63 - 1
_UNIT = r"^(allowance-[1-9][0-9]{0,4}|offset-[1-9][0-9]{0,4}-[1-9][0-9]{0,9}-[1-9][0-9]{0,9})$"
_ADDRESS = r"^0x[0-9a-fA-F]{40}$"


def _known_form(text: str) -> str:
    return UnitId.parse(text).text


class Schema(BaseModel):
    """The root of bodies and answers: unknown keys are refused, nothing is changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Address = Annotated[
    str,
    Field(pattern=_ADDRESS, description="An account, EIP-55.", json_schema_extra={"format": "address"}),
    AfterValidator(to_checksum_address),
]
UnitCode = Annotated[
    str, Field(pattern=_UNIT, max_length=32, description="A unit, as `allowance-2026` or `offset-2026-7-1`."),
    AfterValidator(_known_form),
]  # fmt: skip
Tonnes = Annotated[int, Field(strict=True, ge=1, le=INT63_MAX, description="Whole tonnes CO2e.")]
TonnesOrNone = Annotated[int, Field(strict=True, ge=0, le=INT63_MAX, description="Whole tonnes CO2e, or 0.")]
Grams = Annotated[int, Field(strict=True, ge=1, le=INT63_MAX, description="Grams CO2e.")]
Fen = Annotated[int, Field(strict=True, ge=1, le=INT63_MAX, description="Money, in fen (0.01 CNY).")]
UnixSeconds = Annotated[int, Field(strict=True, ge=1, le=2**53, description="Unix seconds, UTC.")]
Year = Annotated[int, Field(strict=True, ge=1, le=65_535, description="A period, named by its year.")]
Flag = Annotated[bool, Field(strict=True)]
Number32 = Annotated[int, Field(strict=True, ge=1, le=2**32 - 1)]
Hash32 = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$", description="32 bytes, lower-case hex.")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of a file, lower-case hex.")]
Signature = Annotated[
    str, Field(pattern=r"^0x[0-9a-fA-F]{130}$", description="65 bytes: r, s, v.", max_length=132)
]
SignedTransactionHex = Annotated[
    str,
    Field(
        min_length=4,
        max_length=262_146,
        pattern=r"^0x([0-9a-fA-F]{2})+$",
        description="The act, as a transaction signed by the actor's own key.",
    ),
]

# The same values where they stand in a path or a query: text there, so not strict.
AddressPath = Annotated[str, Path(pattern=_ADDRESS), AfterValidator(to_checksum_address)]
UnitPath = Annotated[str, Path(pattern=_UNIT, max_length=32), AfterValidator(_known_form)]
UnitQuery = Annotated[str | None, Query(pattern=_UNIT, max_length=32)]
YearPath = Annotated[int, Path(ge=1, le=65_535)]
NumberPath = Annotated[int, Path(ge=1, le=2**32 - 1)]
EpochPath = Annotated[int, Path(ge=1, le=INT63_MAX)]
HashPath = Annotated[str, Path(pattern=r"^0x[0-9a-f]{64}$")]
Sha256Path = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
YearQuery = Annotated[int | None, Query(ge=1, le=65_535)]
AddressRequired = Annotated[str, Query(pattern=_ADDRESS), AfterValidator(to_checksum_address)]
AddressQuery = Annotated[str | None, Query(pattern=_ADDRESS)]


def example(value: dict[str, Any]) -> ConfigDict:
    """Return the model settings that show `value` in the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": [value]})


def request_text(name: UUID) -> str:
    """Return the text under which the chain knows the act that the client called `name`."""
    return "0x" + request_id(name).hex()
