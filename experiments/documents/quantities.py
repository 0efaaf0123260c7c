"""Sizes and rates as people write them: `250 GB`, `128 MiB`, `50 Mbit/s`, `150 MB/s`."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

_QUANTITY = re.compile(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z/]*)\s*\Z")

_LARGEST = 1e300  # integers of YAML have no bound, floating-point numbers do

_DECIMAL = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
_PREFIXES = {**_DECIMAL, "K": 10**3, **_BINARY}

LARGEST_BYTES = 100 * 10**15

_BYTE_UNITS = {"": 1, **{f"{prefix}B": factor for prefix, factor in _PREFIXES.items()}}
_BIT_RATE_UNITS = {f"{prefix}{unit}": factor for prefix, factor in _PREFIXES.items() for unit in ("bit/s", "bps")}
_BYTE_RATE_UNITS = {f"{prefix}B/s": factor for prefix, factor in _PREFIXES.items()}


def parse_bytes(text: str | float) -> int:
    """A size in bytes: a number of bytes, or a number with kB, MB, GB, TB (powers of 1000) or KiB, MiB, ... (1024).

    Raises:
        ValueError: not a size, negative, above 100 PB, or not a whole number of bytes.
    """
    value = _parse(text, _BYTE_UNITS, "a size such as 250 GB or 128 MiB")
    if value != int(value):
        raise ValueError("a size is a whole number of bytes")
    if value > LARGEST_BYTES:
        raise ValueError("give at most 100 PB")
    return int(value)


def parse_mbps(text: str | float) -> float:
    """A network rate in Mbit/s: a number of Mbit/s, or a number with kbit/s, Mbit/s, Gbit/s, MB/s, ...

    Raises:
        ValueError: not a rate, or negative.
    """
    units = {"": 10**6, **_BIT_RATE_UNITS, **{unit: 8 * factor for unit, factor in _BYTE_RATE_UNITS.items()}}
    return _parse(text, units, "a rate such as 50 Mbit/s or 1 Gbit/s") / 10**6


def parse_mb_per_s(text: str | float) -> float:
    """A disk rate in MB/s: a number of MB/s (10^6 bytes), or a number with kB/s, MB/s, GB/s, MiB/s, ...

    Raises:
        ValueError: not a rate, or negative.
    """
    return _parse(text, {"": 10**6, **_BYTE_RATE_UNITS}, "a disk rate such as 150 MB/s") / 10**6


def _parse(text: str | float, units: dict[str, int], example: str) -> float:
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise ValueError(f"give {example}")
    if not isinstance(text, str):
        if not 0 <= text <= _LARGEST:
            raise ValueError(f"give {example}, not below 0")
        return text * units[""]
    match = _QUANTITY.match(text)
    if match is None:
        raise ValueError(f"give {example}")
    number, unit = match.groups()
    if unit not in units:
        raise ValueError(f"unit {unit!r} is not known here; give {example}")
    amount = float(number.replace("_", "")) * units[unit]
    if amount > _LARGEST:
        raise ValueError(f"give {example}")
    return round(amount) if math.isclose(amount, round(amount), rel_tol=1e-12) else amount


def _schema(example: str, most: float) -> WithJsonSchema:
    number = {"type": "number", "minimum": 0, "maximum": most}
    return WithJsonSchema({"anyOf": [number, {"type": "string"}], "examples": [example]})


Bytes = Annotated[int, BeforeValidator(parse_bytes), Field(gt=0), _schema("250 GB", LARGEST_BYTES)]
"""A positive number of bytes, in a specification also written `250 GB`."""

MegabytesPerSecond = Annotated[
    float, BeforeValidator(parse_mb_per_s), Field(ge=0.001, le=1_000_000), _schema("150 MB/s", 1_000_000)
]
"""A disk rate in MB/s from 1 kB/s to 1 TB/s, in a specification also written `150 MB/s`."""
