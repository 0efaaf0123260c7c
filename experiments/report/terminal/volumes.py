"""Calibrated shuffle volumes on a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from experiments.analysis import estimate_text
from experiments.analysis.estimates import Reduction
from experiments.analysis.shuffle_volumes import JobFit
from experiments.report.terminal.table import empty

_REACH = {"within": "", "below": "below what any factor gives", "above": "above what any factor gives"}


def measurements(fits: Iterable[JobFit]) -> Table:
    """The reductions that factors were found from."""
    fits = tuple(fits)
    how = "Simulated" if all(one.fidelity == {"simulated"} for one in fits) else "Measured"
    table = empty(f"{how} change against the defaults")
    table.add_column("Profile")
    table.add_column("Factor", justify="right")
    table.add_column("Change", justify="right")
    for one in fits:
        for row, factor in enumerate(sorted(one.measured)):
            shown = estimate_text.reduction(one.measured[factor])
            table.add_row("" if row else one.profile, f"{factor:g}", shown, end_section=row == len(one.measured) - 1)
    return table


def factors(fits: Iterable[JobFit]) -> Table:
    """The factors, and what they are to hit."""
    table = empty("Factors on the shuffle volume")
    table.add_column("Profile")
    table.add_column("Factor", justify="right")
    table.add_column("Change there", justify="right")
    table.add_column("Published", justify="right")
    table.add_column("Note", overflow="fold")
    for one in fits:
        fitted = one.fitted
        agreeing = ", ".join(f"{factor:g}" for factor in fitted.agreeing)
        notes = [_REACH[fitted.reach], f"published in the interval at {agreeing}" if agreeing else ""]
        notes += [f"of {word} runs" for word in sorted(one.fidelity - {"trusted"})]
        changes = (
            estimate_text.reduction(Reduction(share, None, None, 1)) for share in (fitted.expected, fitted.published)
        )
        table.add_row(one.profile, f"{fitted.factor:.3g}", *changes, "; ".join(filter(None, notes)))
    return table
