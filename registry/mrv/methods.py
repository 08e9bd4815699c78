"""Accounting methods: activity data to grams of CO2e, exactly (SOURCES 16).

    emission factor   activity x factor
    mass balance      (C in - C out) x 44/12, the masses of CO2 and C
    CEMS              concentration x flow of the stack gas, summed (continuous emission monitoring)

Integers in, an exact fraction of grams out; rounding happens once, where the tonnes of a report are made
(`whole_tonnes`). Quantities of activity are in micro-units: 1,500,000 is 1.5 t of coal or 1.5 MWh. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeAlias

from registry.refusals import MeasurementRefused

MICRO: Final = 1_000_000
GRAMS_PER_TONNE: Final = 1_000_000
CO2_PER_CARBON: Final = Fraction(44, 12)

_QUANTITY_MAX: Final = 10**24


@dataclass(frozen=True, slots=True)
class EmissionFactorLine:
    """So much of an activity at so much a unit.

    Parameters
    ----------
    what :
        Fuel, material or energy, in words.
    amount_micro :
        Millionths of the unit.
    factor_g :
        Grams of CO2e per unit.
    source :
        Where the factor stands: a standard, a notice, a laboratory report.
    scope :
        1, 2 or 3.

    Raises
    ------
    MeasurementRefused :
        A negative or absurd number, or a scope that is none.
    """

    what: str
    amount_micro: int
    factor_g: int
    source: str
    scope: int = 1

    def __post_init__(self) -> None:
        _check(self.what, amount_micro=self.amount_micro, factor_g=self.factor_g)
        _check_scope(self.what, self.scope)

    def grams(self) -> Fraction:
        """Return grams of CO2e, exactly."""
        return Fraction(self.amount_micro * self.factor_g, MICRO)


@dataclass(frozen=True, slots=True)
class MassBalanceLine:
    """Carbon that went in and did not come out again in products or residues.

    `carbon_in_g`, `carbon_out_g` are grams of carbon; `source` names the sampling and analysis.
    Raises MeasurementRefused when more comes out than went in.
    """

    what: str
    carbon_in_g: int
    carbon_out_g: int
    source: str
    scope: int = 1

    def __post_init__(self) -> None:
        _check(self.what, carbon_in_g=self.carbon_in_g, carbon_out_g=self.carbon_out_g)
        _check_scope(self.what, self.scope)
        if self.carbon_out_g > self.carbon_in_g:
            raise MeasurementRefused(
                what=self.what, carbon_in_g=self.carbon_in_g, carbon_out_g=self.carbon_out_g
            )

    def grams(self) -> Fraction:
        """Return grams of CO2, exactly."""
        return (self.carbon_in_g - self.carbon_out_g) * CO2_PER_CARBON


@dataclass(frozen=True, slots=True)
class CemsLine:
    """Readings of a stack: each a mean CO2 concentration (mg per m3) over a flow (m3).

    Dry, at norm conditions. `source` names the instrument. Raises MeasurementRefused for a negative reading.
    """

    what: str
    readings: tuple[tuple[int, int], ...]
    source: str
    scope: int = 1

    def __post_init__(self) -> None:
        for concentration_mg_per_m3, flow_m3 in self.readings:
            _check(self.what, concentration_mg_per_m3=concentration_mg_per_m3, flow_m3=flow_m3)
        _check_scope(self.what, self.scope)

    def grams(self) -> Fraction:
        """Return grams of CO2, exactly."""
        return Fraction(sum(concentration * flow for concentration, flow in self.readings), 1_000)


ActivityLine: TypeAlias = EmissionFactorLine | MassBalanceLine | CemsLine


def whole_tonnes(lines: Iterable[ActivityLine]) -> int:
    """Return the tonnes of CO2e of all lines together, rounded once, half up.

    Source
    ------
    Total emissions are reported as rounded whole tonnes (Regulation (EU) 2018/2066 art. 72). Half up is ours:
    the sources do not say.
    """
    total = sum((line.grams() for line in lines), Fraction(0))
    return (2 * total.numerator + total.denominator * GRAMS_PER_TONNE) // (
        2 * total.denominator * GRAMS_PER_TONNE
    )


def _check(what: str, **numbers: int) -> None:
    for name, number in numbers.items():
        if type(number) is not int or not 0 <= number <= _QUANTITY_MAX:
            raise MeasurementRefused(what=str(what)[:80], field=name, given=str(number)[:80])


def _check_scope(what: str, scope: int) -> None:
    if scope not in (1, 2, 3):
        raise MeasurementRefused(what=str(what)[:80], field="scope", given=str(scope)[:80])
