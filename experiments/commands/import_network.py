"""`import-network`: a network described for Mininet or containerlab becomes a document for `topology.file`."""

from __future__ import annotations

import argparse
import math
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.documents.nofollow import followed
from experiments.documents.terminal import print_aside
from experiments.errors import RequestError

if TYPE_CHECKING:
    from topologies.importing import Graph

SUMMARY = "turn a Mininet or containerlab network into a document for topology.file"
EXAMPLES = ("import-network custom.py --topo mytopo", "import-network lab.clab.yml --mbps 10000 --output lab.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    known = "Mininet script with `topos`, which is run, or containerlab file (.yml, .yaml)"
    parser.add_argument("network", type=Path, help=known)
    parser.add_argument("--topo", metavar="NAME", help="which of the script's topos [the only one]")
    parser.add_argument("--mbps", type=float, default=1000.0, help="rate of links that have none, Mbit/s [1000]")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="where to write it [./NAME.json]")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def run(*, network: Path, topo: str | None, mbps: float, output: Path | None, force: bool) -> int:
    """Import the network, print what was written, and say what was not taken over.

    Raises:
        RequestError: the file is neither, or what is to be written is there.
        TopologyError: what it describes cannot be emulated.
        OSError: it cannot be read, or the document not be written.
    """
    from experiments.documents.atomic import write_text
    from topologies import importing

    if not (math.isfinite(mbps) and mbps > 0):
        raise RequestError(f"--mbps {mbps:g}: give a rate above 0")
    source = followed(network)
    graph = _of_script(source, topo, mbps) if source.suffix == ".py" else _of_yaml(source, topo, mbps)
    made, names = importing.network(graph)
    path = followed(output or Path(f"{source.name.partition('.')[0]}.json"))
    if path.exists() and not force:
        raise RequestError(f"{path}: exists; give another --output, or --force to replace it")
    write_text(path, made.to_json() + "\n")
    renamed = [f"{old} is {new}" for old, new in names.items() if old != new]
    for note in [*graph.notes, *([", ".join(renamed)] if renamed else [])]:
        print_aside(f"note: {note}")
    print(path)
    return 0


def _of_script(path: Path, topo: str | None, mbps: float) -> Graph:
    """What `mn --custom` would make of a script: its `topos` has a function for each name."""
    from topologies.importing import from_mininet

    topos = _tried(path, lambda: runpy.run_path(str(path)).get("topos"))
    if not isinstance(topos, dict) or not topos:
        raise RequestError(f"{path}: has no `topos`; give a script for `mn --custom`")
    if topo is None and len(topos) > 1:
        raise RequestError(f"{path}: has {', '.join(topos)}; choose one with --topo")
    name = topo or next(iter(topos))
    if name not in topos:
        raise RequestError(f"--topo {name}: {path} has {', '.join(topos)}")
    return from_mininet(name, _tried(path, topos[name]), mbps)


def _tried(path: Path, code: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the script has
    """What code of a user's script gives."""
    try:
        return code()
    except (Exception, SystemExit) as error:
        raise RequestError(f"{path}: {type(error).__name__}: {error}; it has to run by itself") from error


def _of_yaml(path: Path, topo: str | None, mbps: float) -> Graph:
    from experiments.documents import yaml_document
    from topologies.importing import from_containerlab

    if topo is not None:
        raise RequestError(f"--topo {topo}: only scripts have several; leave it out")
    return from_containerlab(yaml_document.parse(yaml_document.text_of(path), path.name).content, mbps)
