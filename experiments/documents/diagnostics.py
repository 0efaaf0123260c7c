"""What is wrong with a specification, in one line each: where, which value, what to do."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ValidationError

from experiments.errors import ExperimentError

Path = tuple["str | int", ...]
"""Keys and list indices from the top of a document to one of its values."""


class SpecificationError(ExperimentError, ValueError):
    """A specification that cannot be run; `problems` are lines of field path, value and remedy."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(" ".join(line.split()) for line in problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[SpecificationError], tuple[tuple[str, ...]]]:
        return type(self), (self.problems,)  # as it is otherwise pickled, each letter would be a problem


def dotted(path: Path) -> str:
    """A path as it is written on the command line: `strategies.0.options`."""
    return ".".join(str(part) for part in path)


def nearest(name: str, known: Iterable[str]) -> str:
    """The remedy for a name that is not known: the nearest one that is, or all of them."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"use one of {', '.join(names)}" if names else "remove it"


def problem(path: Path, value: object, remedy: str) -> str:
    """One line: where, which value, what to do."""
    shown = repr(value)
    if len(shown) > 60:
        shown = f"{shown[:57]}..."
    return f"{dotted(path)}: {shown}: {remedy}"


def problems(error: ValidationError, model: type[BaseModel]) -> list[tuple[Path, str]]:
    """The path and the line of everything that pydantic refused in a document of `model`."""
    found: list[tuple[Path, str]] = []
    for item in error.errors(include_url=False):
        path: Path = tuple(item["loc"])
        kind = item["type"]
        if kind == "extra_forbidden":
            remedy = f"unknown key; {nearest(str(path[-1]), _fields_at(model, path[:-1]))}"
            found.append((path, f"{dotted(path)}: {remedy}"))
        elif kind == "missing":
            found.append((path, f"{dotted(path)}: missing; give it"))
        elif kind == "value_error":
            found.append((path, _refusal(path, item["input"], str(item["ctx"]["error"]))))
        else:
            remedy = item["msg"].replace("Input should be", "must be")
            found.append((path, problem(path, item["input"], remedy[:1].lower() + remedy[1:])))
    return found


def _refusal(path: Path, value: object, message: str) -> str:
    """The line for a value that a validator refused; a whole part of the document is not shown again."""
    if not path:
        return message
    return f"{dotted(path)}: {message}" if isinstance(value, dict) else problem(path, value, message)


def _fields_at(model: type[BaseModel], path: Path) -> Sequence[str]:
    """Names of the fields of the model that a path leads to; none when it leads elsewhere."""
    annotation: object = model
    for part in path:
        models = [entry for entry in _alternatives(annotation) if _is_model(entry)]
        if models and isinstance(part, str):
            fields = typing.cast("type[BaseModel]", models[0]).model_fields
            annotation = fields[part].annotation if part in fields else None
        else:
            containers = [entry for entry in _alternatives(annotation) if typing.get_args(entry)]
            annotation = typing.get_args(containers[0])[-1 if isinstance(part, str) else 0] if containers else None
    return [name for entry in _alternatives(annotation) if _is_model(entry) for name in entry.model_fields]  # type: ignore[attr-defined]


def _alternatives(annotation: object) -> Sequence[object]:
    """The members of a union, or the annotation itself."""
    if type(annotation).__name__ in ("UnionType", "Union", "_UnionGenericAlias"):
        return typing.get_args(annotation)
    return (annotation,)


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
