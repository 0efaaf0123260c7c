"""Sweeps as YAML documents: reading, writing, presets, and the schema for editors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from experiments.documents import yaml_document
from experiments.documents.diagnostics import SpecificationError
from experiments.documents.yaml_document import Document
from experiments.specification import catalogue, specification_file
from experiments.specification.job_files import is_path
from experiments.specification.sweep import Sweep


def preset_names() -> tuple[str, ...]:
    """Names of the sweeps that come with the testbed."""
    return catalogue.preset_names(sweeps=True)


def load(name_or_path: str | Path) -> Sweep:
    """The sweep in a YAML file, or the preset of that name; a path of a base in it is relative to the file.

    Raises:
        SpecificationError: no such file or preset, or its content is no sweep.
    """
    path = catalogue.locate(name_or_path)
    return _sweep(catalogue.read(path), str(name_or_path), path.parent)


def loads(text: str, source: str = "sweep", folder: Path = Path()) -> Sweep:
    """The sweep in a YAML text; `source` names it in errors, `folder` is where a path of a base starts.

    Raises:
        SpecificationError: one line for everything that is wrong, each with `source:line:column`.
    """
    return _sweep(yaml_document.parse(text, source), source, folder)


def _sweep(document: Document, name: str, folder: Path) -> Sweep:
    if not catalogue.is_sweep(document):
        raise SpecificationError(
            [
                f"{name}: this is one experiment, not a sweep; run it with `run --spec {name}`, "
                f"or say what varies: `sweep --spec {name} --vary KEY=V1,V2`"
            ]
        )
    base = document.content.get("base")
    if isinstance(base, str):
        beside = folder / base
        found = beside if is_path(base) or beside.is_file() else base
        base = specification_file.load(found).model_dump(mode="json")
        if base["folder"] is None:  # a preset
            del base["folder"]
    if isinstance(base, dict):
        document.content["base"] = catalogue.with_folder(base, document.folder)
    return document.validated(Sweep)


def parse(document: Mapping[str, Any]) -> Sweep:
    """The sweep in a document that has been read already, its base in full.

    Raises:
        SpecificationError: one line for everything that is wrong.
    """
    return yaml_document.validated(Sweep, document)


def assignment(text: str) -> tuple[str, list[Any]]:
    """The dotted path and the values of `dotted.path=V1,V2`, each value in YAML.

    Raises:
        SpecificationError: not an assignment, or values that are not YAML.
    """
    dotted_path, equals, values = text.partition("=")
    if not equals or not dotted_path.strip():
        raise SpecificationError([f"{text!r}: write it as path=V1,V2, such as data.replication=1,3"])
    return dotted_path.strip(), yaml_document.value(dotted_path, f"[{values}]")


def dump(sweep: Sweep) -> str:
    """YAML that `loads` reads back to an equal sweep, with the whole specification as its base."""
    return yaml.safe_dump(sweep.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)


def json_schema() -> dict[str, Any]:
    """JSON schema of a sweep, for completion and checks in editors; that of specifications lies beside it."""
    schema = Sweep.model_json_schema()
    base = {"anyOf": [{"type": "string"}, {"$ref": "specification.schema.json"}]}
    schema["properties"]["base"] = {"description": Sweep.model_fields["base"].description, **base}
    schema["$defs"] = {name: item for name, item in schema["$defs"].items() if name.startswith("Published")}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Sweep"}
