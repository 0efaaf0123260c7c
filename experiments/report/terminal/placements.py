"""Where blocks and containers would go, on a terminal: a picture of the racks for each strategy, and what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def show(document: Mapping[str, Any], console: Console) -> None:
    """Print a dry run: the racks as a picture for each strategy, then the costs."""
    for result in document["strategies"]:
        console.print(Panel(_picture(document["racks"], result), title=result["strategy"], title_align="left"))
    console.print(_costs(document))
    refused = [(r["strategy"], j) for r in document["strategies"] for j in r["jobs"] if "refused" in j]
    for strategy, job in refused:
        console.print(f"{strategy}: {job['refused']}", style="red")


def _picture(racks: Mapping[str, Any], result: Mapping[str, Any]) -> RenderableType:
    """One panel a rack, one line a node: a letter for each slot in use, and the replicas that the node holds."""
    slots: dict[str, list[Text]] = {}
    for number, job in enumerate(result["jobs"]):
        letter, colour = _LETTERS[number % len(_LETTERS)], _COLOURS[number % len(_COLOURS)]
        if job.get("application_master"):
            slots.setdefault(job["application_master"], []).append(Text(letter.lower(), style=colour))
        for node in job.get("workers", ()):
            slots.setdefault(node, []).append(Text(letter, style=f"bold {colour}"))
    replicas = Counter[str]()
    for file in result["files"]:
        replicas.update(file["replicas_by_node"])
    panels = []
    for rack, nodes in racks.items():
        lines = Table.grid(padding=(0, 1))
        for node in nodes:
            taken = slots.get(node["node"], [])
            row = Text().join([*taken, Text("·" * (node["slots"] - len(taken)), style="dim")])
            lines.add_row(node["node"], row, Text(f"{replicas[node['node']]} replicas", style="dim"))
        panels.append(Panel(lines, title=f"rack {rack}", expand=False))
    return Group(Columns(panels), _legend(result["jobs"]))


def _legend(jobs: Sequence[Mapping[str, Any]]) -> Text:
    names = [f"{_LETTERS[number % len(_LETTERS)]} {job['job']}" for number, job in enumerate(jobs)]
    return Text(", ".join(names) + " (lower case: application master)" if names else "no jobs", style="dim")


def _costs(document: Mapping[str, Any]) -> Table:
    exact = any("optimum" in job for result in document["strategies"] for job in result["jobs"])
    table = Table("job", "strategy", title=f"Cost ({document['objective']['cost']}), lower is better")
    for column in (
        "hops",
        "balance",
        "not covered",
        "replicas not covered",
        "cost",
        *(["above optimum"] if exact else []),
    ):
        table.add_column(column, justify="right")
    for row in _cost_rows(document, exact):
        table.add_row(*row)
    return table


def _cost_rows(document: Mapping[str, Any], exact: bool) -> Iterator[list[str]]:
    results = document["strategies"]
    for number in range(len(results[0]["jobs"]) if results else 0):
        for result in results:
            job = result["jobs"][number]
            if "refused" in job:
                yield [job["job"], result["strategy"], "refused"]
                continue
            terms = job["terms"]
            shares = (terms[name] for name in ("hops", "balance", "coverage", "replica_coverage", "total"))
            row = [job["job"], result["strategy"], *(f"{share:.3f}" for share in shares)]
            if exact:
                best = job["optimum"]
                row.append(f"{best['above']:.1%}" + ("" if best["proven"] else " (best known)"))
            yield row
