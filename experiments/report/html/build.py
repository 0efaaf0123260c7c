"""Writes the report of a results folder, or of a single run: report.html and the figures beside it."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import yaml

from experiments.analysis import comparison, estimate_text
from experiments.analysis.file_figures import WORDS
from experiments.documents import numerals
from experiments.documents.atomic import write_text
from experiments.records import datapackage
from experiments.records.record import RecordError, RunRecord
from experiments.records.results_folder import ResultsFolder, RunFolder
from experiments.report import figures, kinds, palette
from experiments.report.cells import Cell, Evidence, Network, gather
from experiments.report.html import drawing, gantt, ledger, links, scales, shares, times, words


def write_report(path: Path, allow_mixed: bool = False, with_figures: bool = True) -> Path:
    """Make the report of a results folder or of one run's folder again, from what is on disk.

    Writes report.html and figures/ into that folder, and for a results folder also summary.json and datapackage.json.

    Returns:
        The path of report.html.

    Raises:
        RecordError: the folder holds neither.
        MixedRunsError: the runs cannot be compared.
    """
    evidence = read_evidence(path, allow_mixed)
    write_text(path / "report.html", render(evidence))
    if with_figures:
        figures.write(evidence, path / "figures")
    if (path / "runs").is_dir():
        write_text(path / "summary.json", comparison.to_json(evidence.comparison))
        datapackage.write(path, datapackage.describe(ResultsFolder(path)))
    return path / "report.html"


def read_evidence(path: Path, allow_mixed: bool = False) -> Evidence:
    """Everything that a report of this folder is made from.

    Raises:
        RecordError: the folder is neither a results folder nor that of a run.
        MixedRunsError: the runs cannot be compared.
    """
    if (path / "runs").is_dir():
        folder = ResultsFolder.open(path)
        return gather(folder.records(), folder.run, folder.specification_text(), path, allow_mixed)
    if (path / "record.json").is_file():
        run = RunFolder(path)
        record = run.record()
        text = yaml.safe_dump(record.specification, sort_keys=False, allow_unicode=True)
        return gather((record,), lambda _: run, text, path, allow_mixed)
    raise RecordError(f"{path}: neither a results folder (runs/) nor a run (record.json); give one of them")


def render(evidence: Evidence) -> str:
    """The whole report as one HTML text that loads nothing else."""
    colours = {cell.strategy: palette.strategy_variable(cell.index) for net in evidence.networks for cell in net.cells}
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            evidence=evidence,
            comparison=evidence.comparison,
            headlines=[(line, colours[strategy]) for line, strategy in words.headlines(evidence.comparison)],
            changes=times.changes(evidence.comparison, evidence.networks),
            networks=[
                _network(summary, network)
                for summary, network in zip(evidence.comparison.networks, evidence.networks, strict=True)
                if network.cells
            ],
            palette=palette,
            heat_stops=[palette.heat_colour(stop / 10) for stop in range(11)],
            divisors=comparison.divisors(evidence.comparison),
            provenance=provenance(evidence.records),
            counts=counts(evidence.records),
        )
    )


@functools.cache
def environment() -> jinja2.Environment:
    """Where the templates are, and what they may use: `n`, `e`, `kinds` and `file_words` write numbers and marks."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"n": numerals, "e": estimate_text, "kinds": kinds, "file_words": WORDS}
    return made


def _network(summary: comparison.NetworkComparison, network: Network) -> dict[str, Any]:
    largest = shares.largest_cell(network.cells)
    time_axis = scales.time_axis(network.end_s)
    failures = network.cells[0].record.specification.get("failures", ())
    return {
        "name": times.network_name(network.blocking_factor),
        "summary": summary,
        "job_times": times.job_times(summary, network),
        "summed_times": times.summed_times(summary, network),
        "time_axis": time_axis,
        "failures": words.failure_marks(failures, time_axis),
        "cost_terms": shares.cost_terms(network.cells),
        "cells": [_cell(cell, network, largest) for cell in network.cells],
        "jobs": [(job_id, palette.job_variable(index)) for index, job_id in enumerate(network.job_ids)],
    }


def _cell(cell: Cell, network: Network, largest: int) -> dict[str, Any]:
    end_s = network.end_s
    return {
        "strategy": cell.strategy,
        "colour": palette.strategy_variable(cell.index),
        "record": cell.record,
        "jobs": gantt.job_rows(cell, network.job_ids, end_s),
        "hosts": gantt.host_rows(cell, network.job_ids, end_s),
        "line": links.uplink_line(cell, end_s),
        "heat": links.heat_map(cell, end_s),
        "drawing": drawing.draw(cell.record.network, links.mean_utilisation(cell)),
        "windows": [
            (
                f"{numerals.number(begin)} to {numerals.seconds(end)}",
                drawing.draw(cell.record.network, links.mean_utilisation(cell, begin, end)),
            )
            for begin, end in links.windows(end_s)
        ],
        "traffic": shares.traffic(cell, largest),
        "locality": shares.locality(cell),
        "ledger": ledger.ledger(cell),
        "cpu_idle": shares.fidelity_line(cell, "cpu_idle"),
        "datapath_cpu": shares.fidelity_line(cell, "datapath_cpu"),
    }


def counts(records: Iterable[RunRecord]) -> dict[str, int]:
    """How many runs ended how."""
    states = ("trusted", "doubtful", "simulated", "failed", "interrupted", "running", "damaged")
    found = dict.fromkeys(states, 0)
    for record in records:
        found[record.state] += 1
    return found


def provenance(records: Iterable[RunRecord]) -> list[tuple[str, str]]:
    """Where and with what the runs were made, several values where they differ."""
    values: dict[str, dict[str, None]] = {}
    for record in records:
        document = record.provenance.model_dump(mode="json")
        document["divisors"] = (
            f"rates by {record.scale.rate_divisor:g}, volumes by {record.scale.volume_divisor:g}"
            if record.scale
            else ""
        )
        document["calibration"] = record.calibration
        document["memory"] = numerals.size(document.pop("memory_bytes") or 0)
        for key, value in document.items():
            for name, part in value.items() if isinstance(value, dict) else [("", value)]:
                text = part if isinstance(part, str) else json.dumps(part)
                label = f"{key}: {name}" if name else key
                if text not in ("", "0", "0 B"):
                    values.setdefault(label.replace("_", " "), {})[text] = None
    values["figures made with"] = {f"matplotlib {matplotlib.__version__}": None}
    return [(label, "; ".join(texts)) for label, texts in values.items()]
