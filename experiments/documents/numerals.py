"""Figures as people read them: three digits, a unit, and spreads beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from experiments.documents.yaml_document import flat

MINUS = "\N{MINUS SIGN}"
_SIZES = ((10**15, "PB"), (10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def number(value: float) -> str:
    """A number with at least three significant digits: 1234, 123, 12.3, 1.23."""
    size = abs(value)
    digits = 0 if size >= 99.95 else 1 if size >= 9.995 else 2
    text = f"{value:.{digits}f}"
    return text.replace("-", MINUS) if float(text) else "0"


def seconds(value: float) -> str:
    """A duration in seconds."""
    return f"{number(value)} s"


def size(value: float) -> str:
    """A number of bytes with a decimal prefix."""
    for factor, unit in _SIZES:
        if value >= factor * 0.9995:
            return f"{number(value / factor)} {unit}"
    return f"{value:.0f} B"


def rate(bits_per_s: float) -> str:
    """A network rate with a decimal prefix."""
    for factor, unit in ((10**9, "Gbit/s"), (10**6, "Mbit/s"), (10**3, "kbit/s")):
        if bits_per_s >= factor * 0.9995:
            return f"{number(bits_per_s / factor)} {unit}"
    return f"{bits_per_s:.0f} bit/s"


def share(value: float) -> str:
    """A share of 1 in per cent: 9.8 %, 27 %, 99.7 %."""
    digits = 0 if value in (0, 1) or 0.0995 <= value < 0.9895 else 1
    return f"{value:.{digits}%}".replace("%", " %")


def tick(value: float) -> str:
    """A round number on an axis."""
    return f"{value:g}".replace("-", MINUS)


def figure(value: float) -> str:
    """A figure of unknown size and unit: three significant digits, thousands written out."""
    return f"{value:,.0f}".replace(",", "\N{THIN SPACE}") if abs(value) >= 1000 else f"{value:.3g}".replace("-", MINUS)


def as_written(value: object) -> str:
    """A value that a sweep varies, as it is written; of a mapping the innermost names and values."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping) and value:
        return _named(flat(value), ", ")
    return value if isinstance(value, str) else json.dumps(value)


def varied(values: Mapping[str, Any], separator: str = ", ") -> str:
    """Varied values by dotted path, each behind the last part of its path; a name alone stands for itself."""
    if len(values) == 1 and isinstance(name := next(iter(values.values())), str):
        return name
    return _named(values, separator)


def _named(values: Mapping[str, Any], separator: str) -> str:
    names = {path: path.rpartition(".")[2].replace("_", " ") for path in values}
    return separator.join(f"{names[path]} {as_written(value)}" for path, value in values.items())
