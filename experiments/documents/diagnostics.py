"""What is wrong with a specification, in one line each: where, which value, what to do."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, Tag, ValidationError
from pydantic.fields import FieldInfo

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
        kind, path = item["type"], _followed(model, item["loc"])[0]
        if kind == "extra_forbidden":
            remedy = f"unknown key; {nearest(str(path[-1]), _keys(_followed(model, item['loc'][:-1])[1]))}"
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


def _followed(model: type[BaseModel], location: Path) -> tuple[Path, object]:
    """The path in a document where pydantic found something, and the annotation of what stands there, if it is known.

    Pydantic also names the member of a tagged union that it took, and says when it is about a key.
    """
    path: list[str | int] = []
    annotation: object = model
    for part in location:
        members = _alternatives(annotation)
        tagged = [entry for entry in members if part in _tags(entry)]
        if tagged or part == "[key]":
            annotation = tagged[0] if tagged else None
            continue
        path.append(part)
        fields = {key: field.annotation for entry in members for key, field in _fields(entry).items()}
        if fields and isinstance(part, str):
            annotation = fields.get(part)
        else:
            held = [typing.get_args(_bare(entry)) for entry in members if typing.get_args(_bare(entry))]
            annotation = held[0][-1 if isinstance(part, str) else 0] if held else None
    return tuple(path), annotation


def _keys(annotation: object) -> list[str]:
    """Keys that a part of a document may have."""
    return [key for entry in _alternatives(annotation) for key in _fields(entry)]


def _fields(annotation: object) -> dict[str, FieldInfo]:
    """Of a model, by the keys that they have in a document; nothing of anything else."""
    model = _bare(annotation)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return {}
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _alternatives(annotation: object) -> Sequence[object]:
    """The members of a union, or the annotation itself."""
    bare = _bare(annotation)
    return typing.get_args(bare) if typing.get_origin(bare) in (typing.Union, types.UnionType) else (annotation,)


def _bare(annotation: object) -> object:
    """What is annotated."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Annotated else annotation


def _tags(annotation: object) -> list[str]:
    return [entry.tag for entry in getattr(annotation, "__metadata__", ()) if isinstance(entry, Tag)]
