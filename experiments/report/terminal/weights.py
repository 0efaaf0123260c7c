"""NeAwa's weights by measurement on a terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from experiments.analysis import estimate_text
from experiments.analysis.weights import JobWeights
from experiments.report.terminal.table import empty, reservation


def arms(job: JobWeights) -> Table:
    """Every pair of weights of a job."""
    table = empty(escape(job.profile))
    table.add_column("Closeness")
    table.add_column("Time, s", justify="right")
    table.add_column("Against the best", justify="right")
    table.add_column("")
    for arm in job.arms:
        remark = "best" if arm.label == job.best else "cannot be told from the best" if arm.tied else ""
        table.add_row(
            arm.label,
            estimate_text.spread(arm.time_s),
            estimate_text.reduction(arm.behind),
            " ".join(filter(None, [remark, reservation(arm.doubtful, arm.simulated)])),
        )
    return table


def conclusion(job: JobWeights) -> str:
    """What the runs of one job say, in a sentence."""
    if job.best is None:
        return f"{job.profile}: no run finished, so there is no best weight."
    tied = [arm.label for arm in job.arms if arm.tied and arm.label != job.best]
    best = next(arm for arm in job.arms if arm.label == job.best)
    how = "simulated as the fastest" if best.simulated else "fastest"
    sentence = f"{job.profile}: {how} at closeness {job.best}, {estimate_text.spread(best.time_s, ' s')}; "
    if not tied:
        return f"{sentence}every other weight is slower."
    return f"{sentence}cannot be told from it: {', '.join(tied)}."
