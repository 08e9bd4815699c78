"""Found: a unit's number in a refusal of Clearing came back from the exchange as 1.2462989231079647e+24."""

from __future__ import annotations

import orjson

from chain.refusals import ContractRefusal
from exchange.words import refusal_json, to_bytes


def test_a_number_beyond_64_bits_keeps_every_digit() -> None:
    refusal = ContractRefusal("ClearingInsufficientUnits", {"unitId": 2**80 + 1, "neededT": 500})
    facts = orjson.loads(to_bytes(refusal_json(refusal)))["facts"]
    assert facts == {"unitId": str(2**80 + 1), "neededT": 500}
