"""What commands have in common that measure a network: one that is up as long as it is wanted, at a rate divisor."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from experiments.documents.nofollow import followed
from experiments.documents.terminal import TextConsole

if TYPE_CHECKING:
    from experiments.runs.progress import OnProgress
    from experiments.runs.standing_network import StandingNetwork
    from experiments.specification.resolved_run import ResolvedRun


class Measuring(NamedTuple):
    """The network, the divisor of its rates, a folder for what nobody keeps, and who takes news."""

    standing: StandingNetwork
    divisor: float
    scratch: Path
    on_progress: OnProgress


@contextlib.contextmanager
def measuring(run: ResolvedRun, title: str, http_port: int, quiet: bool) -> Iterator[Measuring]:
    """Make ready to measure the network of a run.

    Must be called in namespaces of its own (`topologies.emulated.isolation`).
    """
    from experiments.runs.controller_process import listen
    from experiments.runs.progress import Reporter
    from experiments.runs.rate_divisor import choose_divisor
    from experiments.runs.standing_network import StandingNetwork
    from topologies.emulated import isolation

    with (
        tempfile.TemporaryDirectory() as folder,
        listen(isolation.current(), http_port) as listener,
        StandingNetwork(listener) as standing,
        Reporter(TextConsole(stderr=True), quiet).runs(1) as show,
        show(title) as on_progress,
    ):
        scratch = followed(folder)
        yield Measuring(standing, choose_divisor(run, standing, scratch, on_progress), scratch, on_progress)
