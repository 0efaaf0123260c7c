"""YAML documents that people write: reading them, and saying where a value stands."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from experiments.documents import diagnostics, nofollow
from experiments.documents.diagnostics import SpecificationError

Model = TypeVar("Model", bound=BaseModel)


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


def _refuse(loader: _Loader, node: yaml.Node) -> None:
    """No document needs bytes, and JSON cannot hold them."""
    raise yaml.MarkedYAMLError(None, None, "binary data; write a text", node.start_mark)


_Loader.add_constructor("tag:yaml.org,2002:binary", _refuse)


_MOST_NODES = 200_000
"""Values in a document, each alias counted as what it stands for."""
_DEEPEST = 64
"""Levels of values within values."""
_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]")
"""What no text has: it would move a terminal's cursor, or cannot be written as UTF-8."""


@dataclass(frozen=True)
class Document:
    """A YAML document with keys at its top; `tree` knows where they stand, `source` names it in errors.

    `folder` is where paths in it start; None of one that is in no file of a user's.
    """

    source: str
    content: dict[str, Any]
    tree: yaml.Node
    folder: Path | None = None

    def validated(self, model: type[Model]) -> Model:
        """The document as a model.

        Raises:
            SpecificationError: one line for everything that is wrong, each with `source:line:column`.
        """
        try:
            return model.model_validate(self.content)
        except ValidationError as error:
            found = diagnostics.problems(error, model)
            lines = (f"{self.source}:{_position(self.tree, path)}: {line}" for path, line in found)
            raise SpecificationError(lines) from error


def validated(model: type[Model], content: Mapping[str, Any]) -> Model:
    """A document that has been read already, and stands nowhere, as a model.

    Raises:
        SpecificationError: one line for everything that is wrong.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise SpecificationError(line for _, line in diagnostics.problems(error, model)) from error


def parse(text: str, source: str, listed: str | None = None) -> Document:
    """The document in a YAML text; one that is to be a list has it under the key `listed`.

    Raises:
        SpecificationError: not YAML, or something else than keys and values, or than a list.
    """
    tree, found = _parsed(text, source)
    if listed is not None:
        if tree is None or not isinstance(found, list):
            raise SpecificationError([f"{source}:1:1: must be a list of {listed}"])
        return Document(source, {listed: found}, tree)
    if tree is None or not isinstance(found, dict):
        raise SpecificationError([f"{source}:1:1: must hold keys such as `name`"])
    return Document(source, found, tree)


def text_of(path: Path) -> str:
    """The text of a file that a user names.

    Raises:
        SpecificationError: it cannot be read.
    """
    try:
        return nofollow.read_text(nofollow.followed(path))
    except nofollow.FileError as error:
        raise SpecificationError([str(error)]) from error
    except OSError as error:
        raise SpecificationError([f"{path}: cannot be read ({error.strerror}); give a YAML file"]) from error


def value(dotted_path: str, text: str) -> Any:  # noqa: ANN401 - anything that YAML can hold
    """The value that a text in YAML stands for; `dotted_path` names it in errors.

    Raises:
        SpecificationError: not YAML.
    """
    try:
        return _read(text)[1]
    except yaml.YAMLError as error:
        why = getattr(error, "problem", None) or error
        raise SpecificationError([f"{dotted_path}: {text[:60]!r}: not a YAML value ({why}); quote it"]) from error


def _parsed(text: str, source: str) -> tuple[yaml.Node | None, Any]:
    try:
        return _read(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        parts = (getattr(error, "context", None), getattr(error, "problem", None))
        what = " ".join(str(part) for part in parts if part)
        raise SpecificationError([f"{place}: not YAML: {what or error}"]) from error


def _read(text: str) -> tuple[yaml.Node | None, Any]:
    """The nodes of a YAML text and what they stand for.

    Raises:
        yaml.YAMLError: not YAML, values that do not fit their tags, too many of them, or too deep.
    """
    loader = _Loader(text)
    try:
        tree = loader.get_single_node()
        if tree is None:
            return None, None
        _count(tree, {})
        return tree, loader.construct_document(tree)
    except yaml.YAMLError:
        raise
    except RecursionError as error:
        raise yaml.YAMLError(f"values within values, deeper than {_DEEPEST}") from error
    except Exception as error:  # its constructors raise anything where a value does not fit its tag: `!!bool x`
        raise yaml.YAMLError(f"{type(error).__name__}: {error}") from error
    finally:
        loader.dispose()


def _count(node: yaml.Node, counted: dict[int, int], depth: int = 1) -> int:
    """How many values a node stands for; `counted` holds those of nodes before, 0 while they are being counted.

    Raises:
        yaml.YAMLError: too many, too deep, or a node that holds itself.
    """
    if depth > _DEEPEST:
        raise yaml.MarkedYAMLError(None, None, f"deeper than {_DEEPEST} levels", node.start_mark)
    if isinstance(node, yaml.ScalarNode) and (found := _CONTROL.search(node.value)):
        raise yaml.MarkedYAMLError(None, None, f"the control character {found.group()!r} in a text", node.start_mark)
    if id(node) not in counted:
        counted[id(node)] = 0
        inner = node.value if isinstance(node, yaml.CollectionNode) else []
        pairs = itertools.chain.from_iterable(inner) if isinstance(node, yaml.MappingNode) else inner
        counted[id(node)] = 1 + sum(_count(part, counted, depth + 1) for part in pairs)
    elif not counted[id(node)]:
        raise yaml.MarkedYAMLError(None, None, "a value that holds itself", node.start_mark)
    if counted[id(node)] > _MOST_NODES:
        raise yaml.MarkedYAMLError(None, None, f"more than {_MOST_NODES} values", node.start_mark)
    return counted[id(node)]


def _position(tree: yaml.Node, path: diagnostics.Path) -> str:
    """Line and column of a value in a document, or of the nearest thing above it."""
    node, mark = tree, tree.start_mark
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
    return f"{mark.line + 1}:{mark.column + 1}"


def flat(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document's single values by their dotted paths; what is empty counts as a value."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        inner = dict(enumerate(value)) if isinstance(value, (list, tuple)) else value
        if isinstance(inner, Mapping) and inner:
            found |= {f"{key}.{path}": leaf for path, leaf in flat({str(k): v for k, v in inner.items()}).items()}
        else:
            found[str(key)] = value
    return found
