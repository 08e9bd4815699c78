"""What the tests' small market trades in."""

from __future__ import annotations

from typing import Final

PERIOD: Final = 2026
UNIT: Final = f"allowance-{PERIOD}"
DEADLINE_UTC: Final = 1_900_000_000
