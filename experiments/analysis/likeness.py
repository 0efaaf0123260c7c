"""Whether runs are alike enough for their times to be compared, and in what they differ where they are not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from experiments.errors import ExperimentError
from experiments.records.record import Kind, RunRecord

_ORIGIN = ("machine", "kernel", "versions", "datapath", "congestion_control")
"""What of a run's provenance must be the same for its times to be compared."""
_SPECIFIED = ("workload", "node", "nodes", "data", "network", "failures")
"""What of its specification must be."""


class MixedRunsError(ExperimentError):
    """Runs that cannot be compared; the message says in what they differ."""


def refuse(differences: Sequence[str]) -> None:
    """Raise the error that runs which differ in something are not compared.

    Raises:
        MixedRunsError: they differ.
    """
    if differences:
        raise MixedRunsError(f"runs differ in {'; '.join(differences)}; compare them apart, or allow mixed runs")


def origin(record: RunRecord) -> dict[str, Any]:
    """Where, with what and at which scale a run was made; of a simulated one with what, as the rest is of no matter.

    Divisors may differ between networks: those of each are chosen for it.
    """
    if record.kind == "simulated":
        return {"versions": record.provenance.versions}
    network = "" if record.blocking_factor is None else f" at blocking factor {record.blocking_factor:g}"
    scale = record.scale.model_dump() if record.scale else {}
    return {
        **{name: getattr(record.provenance, name) for name in _ORIGIN},
        **{f"{name}{network}": value for name, value in scale.items()},
    }


def distinct(
    records: Iterable[RunRecord], aspect: Callable[[RunRecord], Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The values of every key of an aspect that finished runs have, by their JSON text, in order."""
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        if record.status == "finished":
            for key, value in aspect(record).items():
                found.setdefault(key, {})[json.dumps(value, sort_keys=True)] = value
    return found


def kinds(records: Iterable[RunRecord]) -> tuple[Kind, ...]:
    """The kinds of some runs, each once; a damaged record does not tell its run's."""
    return tuple(sorted({record.kind for record in records if record.status != "damaged"}))


def origins(records: Iterable[RunRecord]) -> list[str]:
    """In what finished runs differ that says how, where and with what they were made, with the values."""
    records = tuple(records)
    return [text for aspect in (_kind, origin, _strategy_module) for text in _several(distinct(records, aspect))]


def differences(records: Iterable[RunRecord]) -> list[str]:
    """In what finished runs differ that would make a comparison meaningless, each with the values."""
    finished = [record for record in records if record.status == "finished"]
    found = [*origins(finished), *_several(distinct(finished, _specified))]
    cells = [(r.strategy, r.blocking_factor, r.repeat) for r in finished if not r.doubtful]
    twice = next((cell for cell in cells if cells.count(cell) > 1), None)
    if twice is not None:
        found.append(f"origin (repeat {twice[2]} of {twice[0]} is there twice)")
    return found


def _kind(record: RunRecord) -> dict[str, Any]:
    return {"kind": record.kind}


def _strategy_module(record: RunRecord) -> dict[str, Any]:
    return {f"the module of {record.strategy}": record.provenance.strategy_sha256}


def _specified(record: RunRecord) -> dict[str, Any]:
    return {part: record.specification.get(part) for part in _SPECIFIED}


def _several(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Each key with its values that has more than one."""
    return [
        f"{key} ({', '.join(text if len(text) < 40 else f'{text[:37]}...' for text in list(texts)[:3])})"
        for key, texts in found.items()
        if len(texts) > 1
    ]
