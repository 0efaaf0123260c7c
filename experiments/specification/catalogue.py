"""The experiments and sweeps that come with the testbed by their names, and those of others by their paths."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.documents import yaml_document
from experiments.documents.diagnostics import SpecificationError, nearest
from experiments.documents.yaml_document import Document

_PRESETS = Path(__file__).with_name("presets")
_SWEEP_KEY = "vary"


def is_sweep(document: Document) -> bool:
    """Whether a document describes a sweep; else it is a specification of one experiment."""
    return _SWEEP_KEY in document.content


def preset_names(sweeps: bool) -> tuple[str, ...]:
    """Names of the sweeps, or of the single experiments, that come with the testbed."""
    return tuple(name for name in _preset_names() if is_sweep(read(name)) == sweeps)


def read(name_or_path: str | Path) -> Document:
    """The document in a YAML file, or the preset of that name.

    Raises:
        SpecificationError: no such file or preset, or a file that cannot be read.
    """
    path = locate(name_or_path)
    document = yaml_document.parse(yaml_document.text_of(path), source=path.name)
    return replace(document, folder=None if path.parent == _PRESETS else path.parent.resolve())


def in_its_folder(document: Document) -> Document:
    """A specification with the folder of its file."""
    return replace(document, content=with_folder(document.content, document.folder))


def with_folder(content: Mapping[str, Any], folder: Path | None) -> dict[str, Any]:
    """A specification's content with the folder of its file, unless it names one, which may be relative to that."""
    given = content.get("folder", "")
    if folder is None or not isinstance(given, str):
        return dict(content)
    return {**content, "folder": os.path.normpath(folder / given)}


def locate(name_or_path: str | Path) -> Path:
    """Where a YAML file, or the preset of that name, is.

    Raises:
        SpecificationError: a name that no preset has.
    """
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    name = str(name_or_path)
    if name not in _preset_names():
        hint = nearest(name, _preset_names())
        raise SpecificationError([f"experiment {name!r}: neither a preset nor a YAML file; {hint}"])
    return _PRESETS / f"{name}.yaml"


def _preset_names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in _PRESETS.glob("*.yaml")))
