"""Describes results to other programs: Frictionless data packages with the schema of every table."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.documents.atomic import write_text
from experiments.records import series
from experiments.records.results_folder import ResultsFolder, RunFolder
from experiments.records.series import Columns, SeriesError
from experiments.records.sweep_folder import SweepFolder

_TABLES = (
    ("events", series.EVENTS),
    ("links", series.LINKS),
    ("fidelity", series.FIDELITY),
    ("delays", series.DELAYS),
    ("files", series.FILES),
    ("transactions", series.TRANSACTIONS),
)


def describe(folder: ResultsFolder) -> dict[str, Any]:
    """The datapackage.json of a results folder; resources are what is on disk now.

    See https://datapackage.org/standard/data-package/.
    """
    specification = folder.specification()
    return _package(folder.path, specification.description or specification.name, [*_resources(folder)])


def describe_sweep(folder: SweepFolder) -> dict[str, Any]:
    """The datapackage.json of a sweep's folder: the sweep, what came out, and the resources of all points."""
    sweep = folder.sweep()
    resources = [_yaml("sweep", "sweep.yaml", "the experiment and the values that it was run at")]
    if (folder.path / "summary.json").is_file():
        resources.append(_json("summary", "summary.json", "what the runs say about the strategies at every point"))
    for point in folder.points():
        for resource in _resources(folder.point(point)):
            place = {"name": f"{point.id.lower()}-{resource['name']}", "path": f"points/{point.id}/{resource['path']}"}
            resources.append({**resource, **place})
    return _package(folder.path, sweep.description or sweep.name, resources)


def write(path: Path, package: Mapping[str, Any]) -> None:
    """Write a package into the folder that it describes."""
    write_text(path / "datapackage.json", json.dumps(package, indent=1))


def _package(path: Path, title: str, resources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": path.name.lower(),
        "title": title,
        "resources": list(resources),
    }


def _resources(folder: ResultsFolder) -> Iterator[dict[str, Any]]:
    yield _yaml("specification", "specification.yaml", "the experiment that the runs follow")
    if (folder.path / "summary.json").is_file():
        yield _json("summary", "summary.json", "what the runs say about the strategies")
    for run in folder.runs():
        yield _json(f"{run.run_id.lower()}-record", f"runs/{run.run_id}/record.json", "all about one run")
        for name, columns in _TABLES:
            file = run.path / f"{name}.parquet"
            if file.is_file():
                with contextlib.suppress(SeriesError):  # a damaged file is no table
                    yield _table(run, name, series.columns_of(file, columns))
        if (run.retention / "files.json").is_file():
            place = f"runs/{run.run_id}/retention/files.json"
            yield _json(f"{run.run_id.lower()}-stored", place, "files that there were at the end, by replica")


def _yaml(name: str, path: str, description: str) -> dict[str, Any]:
    return {"name": name, "path": path, "format": "yaml", "mediatype": "application/yaml", "description": description}


def _json(name: str, path: str, description: str) -> dict[str, Any]:
    return {"name": name, "path": path, "format": "json", "mediatype": "application/json", "description": description}


def _table(run: RunFolder, name: str, columns: Columns) -> dict[str, Any]:
    fields = [{"name": column, "type": kind, "description": about} for column, (kind, about) in columns.items()]
    return {
        "name": f"{run.run_id.lower()}-{name}",
        "type": "table",
        "path": f"runs/{run.run_id}/{name}.parquet",
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        "schema": {"fields": fields},
    }
