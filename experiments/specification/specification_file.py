"""Specifications as YAML documents: reading, writing, overriding, presets, and the schema for editors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from experiments.documents import yaml_document
from experiments.documents.diagnostics import SpecificationError, nearest
from experiments.documents.yaml_document import Document
from experiments.specification import catalogue
from experiments.specification.model import Specification

_INSTEAD: Mapping[str, dict[str, Any]] = {
    "workload.preset": {"jobs": []},
    "topology.preset": {"network": None},
    "topology.file": {"blocking_factor": [], "parameters": {}},
}
"""What goes when something else is given in its place, by the path of that."""


def preset_names() -> tuple[str, ...]:
    """Names of the experiments that come with the testbed; those of sweeps are in `sweep_file`."""
    return catalogue.preset_names(sweeps=False)


def load(name_or_path: str | Path) -> Specification:
    """The specification in a YAML file, or the preset of that name.

    Raises:
        SpecificationError: no such file or preset, or its content cannot be run.
    """
    return _specification(catalogue.read(name_or_path), str(name_or_path))


def loads(text: str, source: str = "specification") -> Specification:
    """The specification in a YAML text; `source` names it in errors.

    Raises:
        SpecificationError: one line for everything that is wrong, each with `source:line:column`.
    """
    return _specification(yaml_document.parse(text, source), source)


def _specification(document: Document, name: str) -> Specification:
    if catalogue.is_sweep(document):
        raise SpecificationError([f"{name}: this is a sweep, not one experiment; give it to the command `sweep`"])
    return catalogue.in_its_folder(document).validated(Specification)


def parse(document: Mapping[str, Any]) -> Specification:
    """The specification in a document that has been read already.

    Raises:
        SpecificationError: one line for everything that is wrong.
    """
    return yaml_document.validated(Specification, document)


def dump(specification: Specification) -> str:
    """YAML that `loads` reads back to an equal specification."""
    return yaml.safe_dump(specification.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)


def override(specification: Specification, assignments: Iterable[str]) -> Specification:
    """The specification with some values replaced, each given as `dotted.path=value`, the value in YAML.

    `scale.rate_divisor=16`, `topology.blocking_factor=[1,5]`, `strategies.1.options.iterations=50`.

    Raises:
        SpecificationError: not an assignment, a path that leads nowhere, or a value that is refused.
    """
    return replace(specification, (assignment(text) for text in assignments))


def assignment(text: str) -> tuple[str, Any]:
    """The dotted path and the value of `dotted.path=value`, the value in YAML.

    Raises:
        SpecificationError: not an assignment, or a value that is not YAML.
    """
    dotted_path, equals, value = text.partition("=")
    if not equals or not dotted_path.strip():
        raise SpecificationError([f"{text!r}: write it as path=value, such as scale.rate_divisor=16"])
    return dotted_path.strip(), yaml_document.value(dotted_path, value)


def replace(specification: Specification, values: Iterable[tuple[str, Any]]) -> Specification:
    """The specification with the values at some dotted paths replaced, one after the other.

    Raises:
        SpecificationError: a path that leads nowhere, or a value that is refused.
    """
    document = specification.model_dump(mode="json")
    for dotted_path, value in values:
        _assign(document, dotted_path, value)
    return parse(document)


def _assign(document: dict[str, Any], dotted_path: str, value: object) -> None:
    *parents, last = dotted_path.split(".")
    inner: Any = document
    for part in parents:
        key = _key(inner, part, dotted_path)
        if isinstance(inner, dict) and key not in inner:
            raise SpecificationError([f"{dotted_path}: no key {part!r}; {nearest(part, inner)}"])
        inner = inner[key]
    key = _key(inner, last, dotted_path)
    if isinstance(inner, dict):
        inner.update(_INSTEAD.get(dotted_path, {}))
    inner[key] = value


def _key(inner: object, part: str, dotted_path: str) -> str | int:
    """The key or index that a part of a path stands for at a place."""
    if isinstance(inner, dict):
        return part
    if not isinstance(inner, list):
        raise SpecificationError([f"{dotted_path}: {part!r} is below a single value; shorten the path"])
    if not part.isdecimal() or int(part) >= len(inner):
        raise SpecificationError([f"{dotted_path}: {part!r} is not an index; use 0 to {len(inner) - 1}"])
    return int(part)


def json_schema() -> dict[str, Any]:
    """JSON schema of a specification, for completion and checks in editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Specification.model_json_schema(),
        "title": "Experiment specification",
    }
