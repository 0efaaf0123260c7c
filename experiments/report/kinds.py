"""That runs were simulated, in words."""

from __future__ import annotations

from collections.abc import Collection

from experiments.records.record import Kind

NOTE = "Simulated: the network is computed as a fluid; nothing was emulated."


def mark(kinds: Collection[Kind]) -> str:
    """What a result of runs of these kinds is called besides its name; empty where all were emulated."""
    if "simulated" not in kinds:
        return ""
    return "partly simulated" if "emulated" in kinds else "simulated"
