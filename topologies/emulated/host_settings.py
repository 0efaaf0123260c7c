"""Sysctls of the machine that have to be raised for a moment, with a journal that survives a crash."""

from __future__ import annotations

import json
from pathlib import Path

_JOURNAL = "sysctls.json"


def exists(name: str) -> bool:
    """Whether the kernel has a sysctl."""
    return _path(name).exists()


def read(name: str) -> str:
    """Value of a sysctl such as `net.core.wmem_default`, as the calling thread's network namespace sees it."""
    return _path(name).read_text().strip()


def write(name: str, value: str) -> None:
    """Set a sysctl of the calling thread's network namespace, for good."""
    _path(name).write_text(value)


def change(directory: Path, name: str, value: str) -> None:
    """Set a sysctl; its value from before is first written to the run's journal, where `restore` finds it."""
    journal = _load(directory)
    journal.setdefault(name, read(name))
    _store(directory, journal)
    write(name, value)


def restore(directory: Path, *names: str) -> None:
    """Put back the sysctls that the run in this directory changed: those named, or all."""
    journal = _load(directory)
    for name in names or tuple(journal):
        if name in journal:
            write(name, journal.pop(name))
    _store(directory, journal)


def _path(name: str) -> Path:
    return Path("/proc/sys", *name.split("."))


def _load(directory: Path) -> dict[str, str]:
    try:
        journal: dict[str, str] = json.loads((directory / _JOURNAL).read_text())
    except FileNotFoundError:
        return {}
    return journal


def _store(directory: Path, journal: dict[str, str]) -> None:
    temporary = directory / f"{_JOURNAL}.new"
    temporary.write_text(json.dumps(journal))
    temporary.replace(directory / _JOURNAL)
