"""Settings: each is explained, and a value out of bounds stops the start."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from pydantic import ValidationError

from api.cli import app
from api.settings import Settings

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "settings.md"


def _read_by_commands() -> set[str]:
    """Settings that options of `carat` may also be given by, and that the API does not read."""
    commands = typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]
    names = {option.envvar for command in commands for option in command.params if option.envvar}
    return {name.removeprefix("CARAT_").lower() for name in names} - Settings.model_fields.keys()


def _explained() -> dict[str, str]:
    rows = re.findall(r"^\| `CARAT_([A-Z_]+)` \| (.+?) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name.lower(): default for name, default in rows}


def test_every_setting_is_explained_and_nothing_else_is() -> None:
    assert _read_by_commands() == {"binary_port"}
    assert _explained().keys() == Settings.model_fields.keys() | _read_by_commands()


def test_the_defaults_in_the_guide_are_the_defaults() -> None:
    for name, said in _explained().items():
        if name in _read_by_commands():
            assert said == "empty"
            continue
        default = Settings.model_fields[name].default
        if name in ("passphrase", "database_url"):
            assert said == "empty"
        elif name == "cors_origins":
            assert said == "`[]`"
        else:
            assert said.strip("`") in (str(default), f"{default:g}" if isinstance(default, float) else "")


def test_a_setting_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARAT_TOKEN_TTL_S", "60")
    monkeypatch.setenv("CARAT_CORS_ORIGINS", '["https://portal.example"]')
    settings = Settings()
    assert settings.token_ttl_s == 60
    assert settings.cors_origins == ("https://portal.example",)


@pytest.mark.parametrize(
    ("name", "value"),
    [("TOKEN_TTL_S", "5"), ("PORT", "70000"), ("PUBLIC_URL", "ftp://x"), ("PUBLIC_URL", "http://x/path")],
)
def test_a_value_out_of_bounds_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"CARAT_{name}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_the_passphrase_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARAT_PASSPHRASE", "correct horse")
    assert "horse" not in repr(Settings())
