"""The result on a terminal: jobs, sums and reductions for every network, in 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from experiments.analysis import estimate_text
from experiments.analysis.comparison import Comparison, NetworkComparison, StrategySummary, divisors
from experiments.analysis.file_figures import WORDS
from experiments.documents import numerals
from experiments.report import kinds

_MOST_FAR_OFF = 3
_COLOURS = {"trusted": "green", "doubtful": "yellow", "simulated": "magenta"}


def render(comparison: Comparison) -> RenderableType:
    """Everything that a terminal shows of a comparison; print it with a rich console."""
    parts: list[RenderableType] = []
    for network in comparison.networks:
        if network.strategies:
            parts += [_jobs(network), _sums(network), *files(network, comparison.published)]
    if not parts:
        parts.append(Text("No run finished, so there are no times to show."))
    parts += [Text(line, style="dim") for line in _notes(comparison)]
    parts += [Text(line, style="yellow") for line in (*_far_off(comparison), *reservations(comparison))]
    return Group(*parts)


def _jobs(network: NetworkComparison) -> Table:
    table = empty(f"Jobs{_where(network)}")
    table.add_column("Job", ratio=3, overflow="fold")
    table.add_column("Strategy", no_wrap=True)
    table.add_column("Time, s", justify="right")
    twin = any(summary.predicted for summary in network.strategies)
    if twin:
        table.add_column("Twin, s", justify="right", no_wrap=True)
    table.add_column("Local", justify="right", no_wrap=True)
    table.add_column("Across racks", justify="right")
    for job_id in dict.fromkeys(job.job_id for summary in network.strategies for job in summary.jobs):
        rows = [(s.strategy, job) for s in network.strategies for job in s.jobs if job.job_id == job_id]
        for row, (strategy, job) in enumerate(rows):
            table.add_row(
                escape(job_id) if row == 0 else "",
                escape(strategy),
                estimate_text.spread(job.completion_time_s),
                *([estimate_text.predicted_briefly(job.predicted)] if twin else []),
                estimate_text.share_of(job.local_share),
                numerals.size(job.cross_rack_bytes.median),
                end_section=row == len(rows) - 1,
            )
    return table


def _sums(network: NetworkComparison) -> Table:
    table = empty(f"All jobs{_where(network)}")
    table.add_column("Strategy", overflow="fold")
    table.add_column("Sum, s", justify="right")
    twin = any(summary.predicted for summary in network.strategies)
    if twin:
        table.add_column("Twin, s", justify="right", no_wrap=True)
    table.add_column(f"Against {escape(network.baseline)}", justify="right")
    table.add_column("Local", justify="right", no_wrap=True)
    table.add_column("Across racks", justify="right", no_wrap=True)
    confirmed = any(summary.confirmed_after_s for summary in network.strategies)
    if confirmed:
        table.add_column("Confirmed, s", justify="right")
    table.add_column("Fidelity", no_wrap=True)
    for summary in network.strategies:
        table.add_row(
            escape(summary.strategy),
            estimate_text.spread(summary.summed_time_s),
            *([estimate_text.predicted_briefly(summary.predicted)] if twin else []),
            reduction(summary),
            estimate_text.share_of(summary.local_share),
            numerals.size(summary.cross_rack_bytes.median),
            *([estimate_text.spread(summary.confirmed_after_s)] if confirmed else []),
            fidelity(summary),
        )
    return table


def files(network: NetworkComparison, published: str) -> Iterator[Table]:
    """What clients' operations on tracked files took under each strategy, beside what was published."""
    for summary in network.strategies:
        if not summary.files:
            continue
        table = empty(f"Files of clients under {escape(summary.strategy)}{_where(network)}")
        for heading in ("Operation", "", "Median (least to most)"):
            table.add_column(heading, overflow="fold")
        if published:
            table.add_column(escape(published), overflow="fold")
            table.add_column("", overflow="fold")
        about = ""
        for row in summary.files:
            beside = [estimate_text.figure_range(row.published), row.verdict] if published else []
            new, about = row.about != about, row.about
            table.add_row(about if new else "", WORDS[row.of], estimate_text.figure_range(row.measured), *beside)
        yield table


def reduction(summary: StrategySummary) -> str:
    """The change against the baseline in a cell."""
    text, found = estimate_text.reduction(summary.reduction), summary.reduction
    if found is not None and found.outcome == "no difference shown":
        text += f"\n[dim]{'one repeat only' if found.pairs == 1 else found.outcome}[/]"
    if found is not None and summary.reduction_doubtful and not summary.doubtful:
        text += "\n[yellow]against doubtful runs[/]"
    return text


def fidelity(summary: StrategySummary) -> str:
    """The verdict on a strategy's runs in a cell; simulated runs need none."""
    verdict = f"[{_COLOURS[summary.fidelity]}]{summary.fidelity}[/]"
    return verdict if summary.planned == 1 else f"{verdict}\n[dim]{summary.runs} of {summary.planned} runs[/]"


def reservation(doubtful: bool, simulated: bool) -> str:
    """In a cell: why figures are to be taken with care; empty when all runs behind them are trusted."""
    words = [word for word, applies in (("simulated", simulated), ("doubtful", doubtful)) if applies]
    return " ".join(f"[{_COLOURS[word]}]{word}[/]" for word in words)


def _notes(comparison: Comparison) -> Iterator[str]:
    spreads = [summary.summed_time_s for network in comparison.networks for summary in network.strategies]
    yield "Times are job completion times in modelled seconds; bytes are modelled bytes."
    if any(value.count > 1 for value in spreads):
        kind = "quartiles" if any(value.kind == "quartiles" for value in spreads) else "range"
        yield f"Times: median ({kind} over repeats). Change: mean of paired repeats (95 % interval)."
    if any(summary.predicted for network in comparison.networks for summary in network.strategies):
        yield "Twin: mean of the same runs simulated over other ways (half their 95 % range)."
    for line in divisors(comparison):
        yield f"The emulation divided {line}."
    if kinds.mark(comparison.kinds):
        yield kinds.NOTE


def _far_off(comparison: Comparison) -> Iterator[str]:
    for far in comparison.far_off[:_MOST_FAR_OFF]:
        yield f"{estimate_text.far_off(far)}."
    if (more := len(comparison.far_off) - _MOST_FAR_OFF) > 0:
        yield f"{more} more jobs are far from what the twin says; the report has them all."


def reservations(comparison: Comparison) -> Iterator[str]:
    """What has to be said about single runs, a line each."""
    for difference in comparison.mixed:
        yield f"Mixed runs: they differ in {difference}."
    for run in comparison.set_aside:
        used = "used, for want of better ones" if run.used else "not used"
        yield f"{run.run_id} is {run.status} ({used}): {'; '.join(run.reasons) or 'no reason given'}"


def _where(network: NetworkComparison) -> str:
    return "" if network.blocking_factor is None else f", blocking factor {network.blocking_factor:g}"


def empty(title: str, style: str = "") -> Table:
    """A table without columns yet; `style` is the title's, besides bold."""
    return Table(
        title=title,
        title_justify="left",
        title_style=f"bold {style}",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
