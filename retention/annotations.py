"""Which files are tracked: those that somebody names, those whose names match a pattern, or by age and use."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Usage:
    """How a file has been used.

    Attributes:
        created_s: when it was written first.
        changed_s: when it was last written.
        reads: how often it was read.
        changes: how often it was written after that.
    """

    created_s: float
    changed_s: float
    reads: int = 0
    changes: int = 0


@dataclass(frozen=True, slots=True)
class AgePolicy:
    """Files that are old enough, and have not been changed for long enough.

    Attributes:
        age_s: since they were written first.
        unchanged_s: since they were last written.
        reads: that they have had, at least.
        changes: that they have had, at most; None does not matter.
    """

    age_s: float = 0.0
    unchanged_s: float = 0.0
    reads: int = 0
    changes: int | None = None

    def holds(self, usage: Usage, now_s: float) -> bool:
        """Whether a file of such use is to be tracked."""
        return (
            now_s - usage.created_s >= self.age_s
            and now_s - usage.changed_s >= self.unchanged_s
            and usage.reads >= self.reads
            and (self.changes is None or usage.changes <= self.changes)
        )


@dataclass(frozen=True)
class Annotations:
    """What is to be tracked.

    Attributes:
        patterns: of names, as in a shell: `*` and `?` stay within a folder, `**` does not.
        policies: any of them is enough.
        named: files that somebody has annotated.
    """

    patterns: tuple[str, ...] = ()
    policies: tuple[AgePolicy, ...] = ()
    named: frozenset[str] = field(default_factory=frozenset)

    def tracks(self, file: str, usage: Usage, now_s: float) -> bool:
        """Whether a file is to be tracked from now on."""
        if file in self.named or any(matches(pattern, file) for pattern in self.patterns):
            return True
        return any(policy.holds(usage, now_s) for policy in self.policies)

    def due(self, files: Mapping[str, Usage], tracked: Container[str], now_s: float) -> tuple[str, ...]:
        """Files that are to be tracked and are not yet."""
        return tuple(file for file, usage in files.items() if file not in tracked and self.tracks(file, usage, now_s))


def matches(pattern: str, file: str) -> bool:
    """Whether a name has the form of a pattern: `*` and `?` for what is not a slash, `**` for anything."""
    return re.fullmatch(_expression(pattern), file) is not None


def _expression(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meaning.get(part, re.escape(part)) for part in parts)
