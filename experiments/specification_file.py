"""Specifications as YAML documents: reading, writing, overriding, presets, and the schema for editors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from experiments import diagnostics
from experiments.diagnostics import SpecificationError, nearest
from experiments.specification import Specification

_PRESETS = Path(__file__).with_name("presets")


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice and reads `1e3` as a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(None, None, f"key {key.value!r} is given twice; remove one", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+\Z"), list("-+0123456789")
)


def preset_names() -> tuple[str, ...]:
    """Names of the experiments that come with the testbed."""
    return tuple(sorted(path.stem for path in _PRESETS.glob("*.yaml")))


def load(name_or_path: str | Path) -> Specification:
    """The specification in a YAML file, or the preset of that name.

    Raises:
        SpecificationError: no such file or preset, or its content cannot be run.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml") and not path.is_file():
        name = str(name_or_path)
        if name not in preset_names():
            hint = nearest(name, preset_names())
            raise SpecificationError([f"experiment {name!r}: neither a preset nor a YAML file; {hint}"])
        path = _PRESETS / f"{name}.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecificationError([f"{path}: cannot be read ({error}); give a YAML file"]) from error
    return loads(text, source=path.name)


def loads(text: str, source: str = "specification") -> Specification:
    """The specification in a YAML text; `source` names it in errors.

    Raises:
        SpecificationError: one line for everything that is wrong, each with `source:line:column`.
    """
    try:
        tree = yaml.compose(text, Loader=_Loader)
        document = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        what = " ".join(
            str(part) for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part
        )
        raise SpecificationError([f"{place}: not YAML: {what or error}"]) from error
    if not isinstance(document, dict):
        raise SpecificationError([f"{source}:1:1: must hold keys such as `name` and `strategies`"])
    try:
        return Specification.model_validate(document)
    except ValidationError as error:
        found = diagnostics.problems(error, Specification)
        raise SpecificationError(f"{source}:{_position(tree, path)}: {line}" for path, line in found) from error


def parse(document: Mapping[str, Any]) -> Specification:
    """The specification in a document that has been read already.

    Raises:
        SpecificationError: one line for everything that is wrong.
    """
    try:
        return Specification.model_validate(document)
    except ValidationError as error:
        raise SpecificationError(line for _, line in diagnostics.problems(error, Specification)) from error


def dump(specification: Specification) -> str:
    """YAML that `loads` reads back to an equal specification."""
    return yaml.safe_dump(specification.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)


def override(specification: Specification, assignments: Iterable[str]) -> Specification:
    """The specification with some values replaced, each given as `dotted.path=value`, the value in YAML.

    `scale.rate_divisor=16`, `topology.blocking_factor=[1,5]`, `strategies.1.options.iterations=50`.

    Raises:
        SpecificationError: not an assignment, a path that leads nowhere, or a value that is refused.
    """
    document = specification.model_dump(mode="json")
    for assignment in assignments:
        dotted_path, equals, text = assignment.partition("=")
        if not equals or not dotted_path.strip():
            raise SpecificationError([f"{assignment!r}: write it as path=value, such as scale.rate_divisor=16"])
        try:
            value = yaml.load(text, Loader=_Loader)
        except (yaml.YAMLError, ValueError) as error:
            raise SpecificationError([f"{dotted_path}: {text!r}: not a YAML value; put it in quotes"]) from error
        _assign(document, dotted_path.strip(), value)
    return parse(document)


def _assign(document: dict[str, Any], dotted_path: str, value: object) -> None:
    *parents, last = dotted_path.split(".")
    place: Any = document
    for part in parents:
        key = _key(place, part, dotted_path)
        if isinstance(place, dict) and key not in place:
            raise SpecificationError([f"{dotted_path}: no key {part!r}; {nearest(part, place)}"])
        place = place[key]
    key = _key(place, last, dotted_path)
    if key == "preset" and isinstance(place, dict) and "jobs" in place:
        place["jobs"] = []
    place[key] = value


def _key(place: object, part: str, dotted_path: str) -> str | int:
    """The key or index that a part of a path stands for at a place."""
    if isinstance(place, dict):
        return part
    if not isinstance(place, list):
        raise SpecificationError([f"{dotted_path}: {part!r} is below a single value; shorten the path"])
    if not part.isdecimal() or int(part) >= len(place):
        raise SpecificationError([f"{dotted_path}: {part!r} is not an index; use 0 to {len(place) - 1}"])
    return int(part)


def _position(tree: yaml.Node | None, path: diagnostics.Path) -> str:
    """Line and column of a value in a document, or of the nearest thing above it."""
    node = tree
    mark = tree.start_mark if tree is not None else None
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            mark, node = pair[0].start_mark, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            mark = node.start_mark
        elif not isinstance(node, yaml.SequenceNode):
            break
    return f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"


def json_schema() -> dict[str, Any]:
    """JSON schema of a specification, for completion and checks in editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Specification.model_json_schema(),
        "title": "Experiment specification",
    }
