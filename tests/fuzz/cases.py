"""Cases: a kind of file, damaged in a way that follows from a seed, and a command that reads it."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from tests.fuzz import corpus, harness, mutations
from tests.fuzz.corpus import Kind
from tests.fuzz.harness import Answer


@dataclass(frozen=True)
class Case:
    """One file and one command; the file is as it should be without a seed for the damage."""

    kind: Kind
    command: tuple[str, ...]
    seed: int | None

    @classmethod
    def damaged(cls, kind: Kind, seed: int) -> Case:
        """The case that follows from a seed."""
        return cls(kind, Random(seed).choice(kind.commands), seed)

    def ask(self, folder: Path) -> Answer:
        """Damage a copy of the kind's example in `folder`, which is made anew, and do the command there."""
        if folder.exists():
            shutil.rmtree(folder)
        shutil.copytree(self.kind.folder, folder)
        if self.seed is None:
            answer = harness.ask(self.command, folder, lambda: None)
            refused = f"what is not damaged is refused: {answer.output.strip()}" if answer.exit_code else None
            return replace(answer, fault=answer.fault or refused)
        rng = Random(self.seed)
        path = folder / rng.choice(self.kind.files)
        return harness.ask(self.command, folder, lambda: mutations.damage(path, rng))

    def __str__(self) -> str:
        seed = "not damaged" if self.seed is None else f"--seed {self.seed}"
        return f"--kind '{self.kind.name}' {seed}: {' '.join(self.command)}"


def kinds_in(folder: Path, named: str | None = None) -> list[Kind]:
    """Examples of all kinds, or of those with this in their names, made below a new folder."""
    folder.mkdir()
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as apart:  # for `harness.ask` starts no threads
        made = apart.submit(corpus.build, folder).result()
    return [kind for kind in made if named is None or named in kind.name]


def undamaged(kinds: Sequence[Kind]) -> list[Case]:
    """Every command of every kind with the examples as they are: what the damaged ones are to be judged by."""
    return [Case(kind, command, None) for kind in kinds for command in kind.commands]


def damaged(kinds: Sequence[Kind], seed: int, count: int) -> list[Case]:
    """So many cases; kinds take turns."""
    return [Case.damaged(kinds[number % len(kinds)], seed + number) for number in range(count)]
