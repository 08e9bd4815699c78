"""The committed artifacts, which the product runs on, are what the sources give."""

import json

import brownie
import pytest
from carat_world import ARTIFACTS, NAMES, World


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_interface_is_the_one_under_test(world: World, name: str) -> None:
    compiled = brownie.project.get_loaded_projects()[0][name]
    committed = json.loads((ARTIFACTS / f"{name}.json").read_text(encoding="utf-8"))
    assert parts(committed["abi"]) == parts(compiled.abi)


def parts(abi: list[dict]) -> list[str]:
    """Each part as text; a constructor without the name that brownie gives it."""
    nameless = [{**part, "name": part.get("name", "constructor")} for part in abi]
    return sorted(json.dumps(part, sort_keys=True) for part in nameless)
