"""Where blocks and containers would go, on a terminal: a picture of the racks for each strategy, and what it costs.

Jobs that have left when the last one comes are in the table of costs only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_RULE = (
    "A dry run does not know how long jobs take. They stay until a later one finds no room; then those that came first "
    "leave. The pictures are of the end, when the last one has come."
)


def show(document: Mapping[str, Any], console: Console) -> None:
    """Print a dry run: the racks as a picture for each strategy, then the costs."""
    for result in document["strategies"]:
        title = escape(result["strategy"])
        console.print(Panel(_picture(document["racks"], result), title=title, title_align="left"))
    console.print(_costs(document))
    if any(job["ended"] for result in document["strategies"] for job in result["jobs"]):
        console.print(_RULE, style="dim")
    refused = [(r["strategy"], j) for r in document["strategies"] for j in r["jobs"] if "refused" in j]
    for strategy, job in refused:
        console.print(escape(f"{strategy}: {job['refused']}"), style="red")


def _picture(racks: Mapping[str, Any], result: Mapping[str, Any]) -> RenderableType:
    """One panel a rack, one line a node: a mark for each slot in use, and the replicas that the node holds."""
    present = {number: job for number, job in enumerate(result["jobs"]) if job["job"] in result["present"]}
    width = max((len(_mark(number)) for number in present), default=1)
    slots: dict[str, list[Text]] = {}
    for number, job in present.items():
        mark, colour = _mark(number).ljust(width), _COLOURS[number % len(_COLOURS)]
        if job["application_master"]:
            slots.setdefault(job["application_master"], []).append(Text(mark.lower(), style=colour))
        for node in job["workers"]:
            slots.setdefault(node, []).append(Text(mark, style=f"bold {colour}"))
    replicas = Counter[str]()
    for file in result["files"]:
        replicas.update(file["replicas_by_node"])
    panels = []
    for rack, nodes in racks.items():
        lines = Table.grid(padding=(0, 1))
        for node in nodes:
            taken = slots.get(node["node"], [])
            free = [Text("·".ljust(width), style="dim")] * (node["slots"] - len(taken))
            row = Text(" " if width > 1 else "").join([*taken, *free])
            lines.add_row(node["node"], row, Text(f"{replicas[node['node']]} replicas", style="dim"))
        panels.append(Panel(lines, title=f"rack {rack}", expand=False))
    return Group(Columns(panels), _legend(present, len(result["jobs"])))


def _mark(number: int) -> str:
    """What stands for a job, the first of which has number 0: A to Z, AA to ZZ, and so on."""
    mark = _LETTERS[number % len(_LETTERS)]
    return _mark(number // len(_LETTERS) - 1) + mark if number >= len(_LETTERS) else mark


def _legend(present: Mapping[int, Mapping[str, Any]], jobs: int) -> Text:
    if not present:
        return Text("no jobs", style="dim")
    names = ", ".join(f"{_mark(number)} {job['job']}" for number, job in present.items())
    count = "" if len(present) == jobs else f"{len(present)} of {jobs} jobs: "
    return Text(f"{count}{names} (lower case: application master)", style="dim")


def _costs(document: Mapping[str, Any]) -> Table:
    exact = any("optimum" in job for result in document["strategies"] for job in result["jobs"])
    title = f"Cost ({document['objective']['cost']}), lower is better"
    table = Table("", title=title, box=box.SIMPLE_HEAD, padding=0)
    for column in ("job", "strategy"):
        table.add_column(column, overflow="fold")
    terms = ("hops", "balance", "not\ncovered", "replicas\nnot covered", "cost")
    for column in ("at s", *terms, *(["above\noptimum"] if exact else [])):
        table.add_column(column, justify="right")
    for row in _cost_rows(document, exact):
        table.add_row(*row)
    return table


def _cost_rows(document: Mapping[str, Any], exact: bool) -> Iterator[list[str]]:
    results = document["strategies"]
    for number in range(len(results[0]["jobs"]) if results else 0):
        for result in results:
            job = result["jobs"][number]
            named = [_mark(number), escape(job["job"]), escape(result["strategy"]), f"{job['at_s']:g}"]
            if "refused" in job:
                yield [*named, "refused"]
                continue
            terms = job["terms"]
            shares = (terms[name] for name in ("hops", "balance", "coverage", "replica_coverage", "total"))
            row = [*named, *(f"{share:.3f}" for share in shares)]
            if exact:
                best = job["optimum"]
                row.append(f"{best['above']:.1%}" + ("" if best["proven"] else " (best known)"))
            yield row
