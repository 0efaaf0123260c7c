"""Ways to damage a file: its bytes, the values in it, and the file itself."""

from __future__ import annotations

import copy
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import yaml

TEXTS = (
    "",
    " ",
    "x" * 300,
    "ü" * 130,
    "..",
    "../../x",
    "..a:b",
    "a/b",
    "[/x]",
    "[bold]x[/]",
    "$\\foo$ $$",
    "<script>alert(1)</script>",
    "\x1b[31mred",
    "nul\x00",
    "\ud800",
    "\u202e",
    "nan",
    "1e400",
    "9" * 5000,
    "os:abort",
    "subprocess:getoutput",
    "1000 PB",
    "-1 GB",
    "2026-13-45",
)
VALUES: tuple[Any, ...] = (
    *TEXTS,
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    7,
    255,
    2**31,
    2**63,
    2**64 + 1,
    10**9,
    10**30,
    10**400,
    0.5,
    -0.0,
    1e-300,
    1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
    [],
    {},
    [[]],
    ["a"],
    ["a", "a"],
    {"a": 1},
    {"": None},
    [None],
    [{}],
)
"""What a value is replaced by."""

FRAGMENTS = (
    b"\xff\xfe",
    b"\x00",
    b"\xef\xbb\xbf",
    b"[" * 3000,
    b"{" * 3000,
    b'{"a":' * 3000,
    b"!!bool x",
    b"!!timestamp x",
    b"!!map [a]",
    b'!!binary "//79"',
    b"!!python/object/apply:os.abort []",
    b"&a [*a]",
    b"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n",
    b"<<: *a",
    b"? [a, b]\n: c\n",
    b"\\ud800",
    b"9" * 5000,
    b"1e999",
    b"NaN",
    b"-",
    b": ",
    b"\t",
    b"\r\n",
    b"%YAML 9.9\n---\n",
    b"...\n---\n",
    b"\n\n",
)
"""What is inserted into bytes."""


def damage(path: Path, rng: Random) -> str:
    """Damage a file in one way; says in which."""
    kinds: list[Callable[[Path, Random], None]] = [bytes_changed, bytes_changed, misplaced]
    if path.suffix == ".parquet":
        kinds += [columns_changed] * 4
    elif path.suffix in (".yaml", ".json", ".log", ".jhist"):
        kinds += [values_changed] * 8
    elif path.suffix == ".txt":
        kinds += [words_changed] * 6
    kind = rng.choice(kinds)
    kind(path, rng)
    return kind.__name__


def bytes_changed(path: Path, rng: Random) -> None:
    """Some bytes flipped, cut out, doubled, inserted or cut off."""
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(content) + 1)
        end = min(len(content), at + rng.choice((1, 4, 64, 1024)))
        match rng.randrange(5):
            case 0:
                content[at:end] = bytes(byte ^ (1 << rng.randrange(8)) for byte in content[at:end])
            case 1:
                del content[at:end]
            case 2:
                content[at:at] = content[at:end]
            case 3:
                content[at:at] = rng.choice(FRAGMENTS)
            case 4:
                del content[at:]
    path.write_bytes(content)


def words_changed(path: Path, rng: Random) -> None:
    """Some words of a text replaced."""
    words = path.read_text(encoding="utf-8").split(" ")
    for _ in range(rng.choice((1, 2))):
        words[rng.randrange(len(words))] = rng.choice((str(rng.choice(VALUES)), rng.choice(words)))
    path.write_bytes(" ".join(words).encode("utf-8", "surrogatepass"))


def values_changed(path: Path, rng: Random) -> None:
    """A value of a document replaced, removed, renamed, wrapped or doubled; of a log, in one of its lines."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        document = _changed(yaml.safe_load(text), rng)
        encoded = yaml.dump(document, allow_unicode=rng.random() < 0.5, sort_keys=False)
    elif path.suffix == ".json":
        encoded = json.dumps(_changed(json.loads(text), rng))
    else:
        lines = text.splitlines()
        at = rng.choice([number for number, line in enumerate(lines) if line.startswith("{")])
        lines[at] = json.dumps(_changed(json.loads(lines[at]), rng))
        if rng.random() < 0.2:
            lines.insert(rng.randrange(len(lines) + 1), lines.pop(rng.randrange(len(lines))))
        encoded = "\n".join(lines) + "\n"
    path.write_bytes(encoded.encode("utf-8", "surrogatepass"))


def columns_changed(path: Path, rng: Random) -> None:
    """A column of a table lost, of another type, or with other values."""
    frame = pl.read_parquet(path)
    name = rng.choice(frame.columns)
    match rng.randrange(5):
        case 0:
            frame = frame.drop(name)
        case 1:
            frame = frame.with_columns(pl.lit(rng.choice(TEXTS[:18])).alias(name))
        case 2:
            frame = frame.with_columns(pl.lit(rng.choice((None, -1, 2**62, float("nan"), float("inf")))).alias(name))
        case 3:
            frame = frame.with_columns(pl.lit([1]).alias(name))
        case 4:
            frame = frame.sample(fraction=1, shuffle=True, seed=rng.randrange(99)).head(rng.choice((0, 1, 9)))
    sink = io.BytesIO()
    frame.write_parquet(sink)
    path.write_bytes(sink.getvalue())


def misplaced(path: Path, rng: Random) -> None:
    """The file gone, empty, a folder, a link to nowhere or without end, or a pipe that nobody writes."""
    path.unlink()
    match rng.randrange(6):
        case 0:
            pass
        case 1:
            path.write_bytes(b"")
        case 2:
            path.mkdir()
        case 3:
            path.symlink_to("nowhere")
        case 4:
            path.symlink_to("/dev/zero")
        case 5:
            os.mkfifo(path)


def _changed(document: Any, rng: Random) -> Any:
    """A document with up to three of its values changed."""
    document = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not isinstance(document, dict | list) or not document:
            return copy.deepcopy(rng.choice(VALUES))
        parent, key = _somewhere(document, rng)
        match rng.randrange(8):
            case 0 if isinstance(parent, dict):
                del parent[key]
            case 1 if isinstance(parent, dict):
                parent[rng.choice((*TEXTS[:20], *parent))] = parent.pop(key)
            case 2:
                parent[key] = [parent[key]] if rng.random() < 0.5 else {"x": parent[key]}
            case 3 if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[key]))
            case 4:
                other, there = _somewhere(document, rng)
                parent[key] = copy.deepcopy(other[there])
            case 5 if isinstance(parent[key], int | float) and abs(parent[key]) < 1e300:
                parent[key] = parent[key] * rng.choice((-1, 0, 0.5, 1.5, 1000, 10**9))
            case 6 if isinstance(parent[key], int | float):
                parent[key] = str(parent[key])
            case _:
                parent[key] = copy.deepcopy(rng.choice(VALUES))
    return document


def _somewhere(document: Any, rng: Random) -> tuple[Any, Any]:
    """A container in a document and one of its keys: down from the top, so that long lists do not draw all."""
    inside = document
    while True:
        key = rng.choice(list(inside)) if isinstance(inside, dict) else rng.randrange(len(inside))
        if not isinstance(inside[key], dict | list) or not inside[key] or rng.random() < 0.25:
            return inside, key
        inside = inside[key]
