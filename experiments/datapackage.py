"""Describes a results folder to other programs: a Frictionless data package with the schema of every table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from experiments import series
from experiments.atomic import write_text
from experiments.results import ResultsFolder, RunFolder
from experiments.series import ColumnType

_TABLES = (("events", series.EVENTS), ("links", series.LINKS), ("fidelity", series.FIDELITY))


def describe(folder: ResultsFolder) -> dict[str, Any]:
    """The content of datapackage.json; resources are what is on disk now.

    See https://datapackage.org/standard/data-package/.
    """
    specification = yaml.safe_load((folder.path / "specification.yaml").read_text(encoding="utf-8"))
    resources: list[dict[str, Any]] = [
        {
            "name": "specification",
            "path": "specification.yaml",
            "format": "yaml",
            "mediatype": "application/yaml",
            "description": "the experiment that the runs follow",
        }
    ]
    if (folder.path / "summary.json").is_file():
        resources.append(_json("summary", "summary.json", "what the runs say about the strategies"))
    for run in folder.runs():
        resources.append(_json(f"{run.run_id.lower()}-record", f"runs/{run.run_id}/record.json", "all about one run"))
        resources += [
            _table(run, name, columns) for name, columns in _TABLES if (run.path / f"{name}.parquet").is_file()
        ]
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": folder.path.name.lower(),
        "title": specification.get("description") or specification["name"],
        "resources": resources,
    }


def write(folder: ResultsFolder) -> None:
    """Write datapackage.json into the folder."""
    write_text(folder.path / "datapackage.json", json.dumps(describe(folder), indent=1))


def _json(name: str, path: str, description: str) -> dict[str, Any]:
    return {"name": name, "path": path, "format": "json", "mediatype": "application/json", "description": description}


def _table(run: RunFolder, name: str, columns: Mapping[str, tuple[ColumnType, str]]) -> dict[str, Any]:
    fields = [{"name": column, "type": kind, "description": about} for column, (kind, about) in columns.items()]
    return {
        "name": f"{run.run_id.lower()}-{name}",
        "path": f"runs/{run.run_id}/{name}.parquet",
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        "schema": {"fields": fields, "fieldsMatch": ["superset"]},
    }
