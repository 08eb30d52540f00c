"""Numbers printed on a picture: lines of text to named readings in one unit each, by rules.

Inspection machines print what they measured on the picture ("OFFSET 12.4 um"). What a line says is data: it
is parsed, and never acted on.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from pydantic import Field, FiniteFloat

from tools.types import Value

MOST_READINGS: Final = 16
"""Named readings that a model takes: those that stand on most pictures."""

_LINE_CHARACTERS: Final = 200
_ALIKE: Final = 0.75
"""Likeness of names from which they are one, misread by the reader of print."""

_CLIPPED: Final = 6.0
"""Spreads from the centre beyond which a reading is no farther out: misread digits are."""

_LENGTH_MM: Final = {"nm": 1e-6, "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3}

_READING: Final = re.compile(
    r"(?P<name>[A-Za-z_][A-Za-z_.\- ]{0,30}?)?\s*[:=]?\s*"
    r"(?P<value>[-+]?\d{1,9}(?:[.,]\d{1,6})?)\s*(?P<unit>nm|[uµμ]m|mm|cm|mV|V|mA|A|deg|°C|°|%|m)?(?![A-Za-z0-9])"
)


class Reading(Value):
    """One reading: lower-case letters of its name ("value" where none was printed), value, unit.

    Lengths are in mm; other units stand as printed, "" where none was.
    """

    name: str = Field(min_length=1)
    value: FiniteFloat
    unit: str = ""


class Usual(Value):
    """Where a reading lies on the pictures that were learnt from: `low` to `high` are its middle half."""

    name: str
    unit: str
    centre: FiniteFloat
    spread: FiniteFloat = Field(gt=0)
    low: FiniteFloat
    high: FiniteFloat


def readings_in(lines: Iterable[str]) -> tuple[Reading, ...]:
    """Readings of lines of text, the first of each name; nothing where none can be read."""
    found: dict[str, Reading] = {}
    for line in lines:
        for match in _READING.finditer(line[:_LINE_CHARACTERS]):
            name = re.sub(r"[^a-z]", "", (match["name"] or "").casefold()) or "value"
            unit = match["unit"] or ""
            value = float(match["value"].replace(",", "."))
            if unit in _LENGTH_MM:
                value, unit = value * _LENGTH_MM[unit], "mm"
            found.setdefault(name, Reading(name=name, value=value, unit=unit))
    return tuple(found.values())


def usual_readings(pictures: Sequence[Sequence[Reading]]) -> tuple[Usual, ...]:
    """The readings that stand on a fifth of the pictures or more, and on two at least, by name."""
    values: dict[str, list[Reading]] = {}
    for readings in pictures:
        for reading in readings:
            values.setdefault(_same(reading.name, values) or reading.name, []).append(reading)
    least = max(2, len(pictures) / 5)
    kept = sorted(
        (name for name, read in values.items() if len(read) >= least), key=lambda n: -len(values[n])
    )
    return tuple(_usual(name, values[name]) for name in sorted(kept[:MOST_READINGS]))


def reading_vector(readings: Sequence[Reading], usual: Sequence[Usual]) -> npt.NDArray[np.float32] | None:
    """Readings as numbers a model takes, shape (4 x usual,): value, whether it is low, high, there.

    None where none of the usual ones is there.
    """
    by_name = {reading.name: reading for reading in readings}
    rows = []
    for one in usual:
        reading = by_name.get(_same(one.name, by_name) or "")
        if reading is None or (reading.unit and one.unit and reading.unit != one.unit):
            rows.append((0.0, 0.0, 0.0, 0.0))
            continue
        z = float(np.clip((reading.value - one.centre) / one.spread, -_CLIPPED, _CLIPPED))
        rows.append((z, float(reading.value < one.low), float(reading.value > one.high), 1.0))
    if not any(row[3] for row in rows):
        return None
    return np.asarray(rows, np.float32).reshape(-1)


def _same(name: str, names: Mapping[str, object]) -> str | None:
    """The name in question among others, or the one that it is likely a misreading of."""
    if name in names:
        return name
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=_ALIKE)
    return near[0] if near else None


def _usual(name: str, readings: Sequence[Reading]) -> Usual:
    values = np.array([reading.value for reading in readings])
    low, centre, high = np.quantile(values, (0.25, 0.5, 0.75))
    spread = max(float(high - low) / 1.35, float(values.std()) / 2, 1e-3 * abs(float(centre)), 1e-9)
    units = [reading.unit for reading in readings]
    return Usual(
        name=name,
        unit=max(sorted(set(units)), key=units.count),
        centre=float(centre),
        spread=spread,
        low=float(low),
        high=float(high),
    )
