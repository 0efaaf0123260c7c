"""Cases: a kind of file, damaged in a way that follows from a seed, and a command that reads it."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.fuzz import corpus, harness, mutations
from tests.fuzz.corpus import Kind
from tests.fuzz.harness import Answer


@dataclass(frozen=True)
class Case:
    """One damaged file and one command."""

    kind: Kind
    seed: int

    def ask(self, folder: Path) -> Answer:
        """Damage a copy of the kind's example in `folder`, which is made anew, and do the command there."""
        rng = Random(self.seed)
        if folder.exists():
            shutil.rmtree(folder)
        shutil.copytree(self.kind.folder, folder)
        command = rng.choice(self.kind.commands)
        path = folder / rng.choice(self.kind.files)
        return harness.ask(command, folder, lambda: mutations.damage(path, rng))

    def __str__(self) -> str:
        rng = Random(self.seed)
        return f"--kind '{self.kind.name}' --seed {self.seed}: {' '.join(rng.choice(self.kind.commands))}"


def kinds_in(folder: Path, named: str | None = None) -> list[Kind]:
    """Examples of all kinds, or of those with this in their names, made below a new folder."""
    folder.mkdir()
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as apart:  # for `harness.ask` starts no threads
        made = apart.submit(corpus.build, folder).result()
    return [kind for kind in made if named is None or named in kind.name]


def cases(kinds: Sequence[Kind], seed: int, count: int) -> Iterator[Case]:
    """So many cases; kinds take turns."""
    return (Case(kinds[number % len(kinds)], seed + number) for number in range(count))
