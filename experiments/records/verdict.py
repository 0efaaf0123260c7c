"""Whether the machine kept up with the network it emulated: the verdict on samples that were taken during the run.

An emulation that lacks CPU does not fail, it measures something else. What that looks like is sampled all the time:
the CPU left idle or stolen by other guests, how long the switches and the agents waited for a core, how long packets
waited in front of the switches or were lost there, what the links' own queues did, and how long datagrams were on
their way.

The switches' CPU share is recorded and not judged: the userspace datapath looks at all of its ports whenever it wakes
up, so that it reads near a whole core long before it is saturated. Saturation shows as packets that wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from experiments.records.delays import Delays
from experiments.records.record import Fidelity
from experiments.specification.model import MODELLED_S_PER_WALL_S, FidelitySpec


@dataclass(frozen=True, slots=True)
class Sample:
    """State of the machine over one interval that ended at `time_wall_s` (seconds since the run started).

    Shares are of all cores (`cpu_*`) or of one core (`datapath_cpu`). Delays are means over the interval of the time
    from ready to running, the worst of the processes looked at. Bytes in queues are of the moment, counts over the
    interval: frames as the switches see them, up to 64 KiB each with segmentation offload, and TCP segments as the
    hosts count. `receive_delay_s` is at most what a packet waited for the switches, by Little's law: the memory that
    waiting packets take, which is more than their bytes, over the rate at which bytes were forwarded; `arrived_bytes`
    is both together. One interval tells of waits up to its own length.
    """

    time_wall_s: float
    cpu_idle: float
    cpu_steal: float
    datapath_cpu: float
    run_queue_delay_s: float
    agents_run_queue_delay_s: float
    receive_queue_bytes: int
    receive_delay_s: float
    arrived_bytes: int
    receive_drops: int
    frames_received: int
    backlog_bytes: int
    queue_drops: int
    retransmissions: int
    segments_sent: int


@dataclass
class Watched:
    """What was seen during a run.

    Attributes:
        samples: of the machine.
        delays: of datagrams; None when too few arrived to tell, or when none could be sent.
        unprobed: why none could be.
    """

    samples: tuple[Sample, ...] = ()
    delays: Delays | None = None
    unprobed: str | None = None


def rows(samples: Iterable[Sample]) -> list[dict[str, Any]]:
    """Rows of fidelity.parquet."""
    return [{name: float(value) for name, value in asdict(sample).items()} for sample in samples]


def assess(
    watched: Watched,
    thresholds: FidelitySpec,
    rate_shortfall: float | None,
    forced: str | None = None,
    decision_share: float | None = None,
    speed: float = MODELLED_S_PER_WALL_S,
) -> Fidelity:
    """The verdict on a run.

    Args:
        watched: what was seen during the whole run.
        thresholds: from where on a figure makes the run doubtful.
        rate_shortfall: by how much the calibration before the run fell short, relatively; None when there was none.
        forced: why the run should have been refused, when it was run all the same.
        decision_share: share of the jobs' times that they waited for the strategy. Modelled time goes on meanwhile,
            many times faster than a real cluster's; None when nothing was placed.
        speed: modelled seconds in a second on the wall.
    """
    if not watched.samples:
        return Fidelity(verdict="doubtful", reasons=("the run was too short to be sampled",))
    delays = watched.delays
    figures = {
        **_figures(watched.samples),
        "rate_shortfall": rate_shortfall,
        "decision_share": decision_share,
        "packet_delay_s_p99": None if delays is None else delays.excess_s_p99,
    }
    problems = filter(None, (forced, watched.unprobed))
    reasons = [*problems, *_reasons(figures, thresholds, speed, delays)]
    return Fidelity(verdict="doubtful" if reasons else "trusted", reasons=tuple(reasons), figures=figures)


def _figures(samples: Sequence[Sample]) -> dict[str, float | None]:
    return {
        "cpu_idle_p05": _percentile(samples, "cpu_idle", 5),
        "cpu_steal_p95": _percentile(samples, "cpu_steal", 95),
        "datapath_cpu_p95": _percentile(samples, "datapath_cpu", 95),
        "run_queue_delay_s_p95": _percentile(samples, "run_queue_delay_s", 95),
        "agents_run_queue_delay_s_p95": _percentile(samples, "agents_run_queue_delay_s", 95),
        "receive_queue_bytes_p95": _percentile(samples, "receive_queue_bytes", 95),
        "receive_delay_s_p95": _percentile(samples, "receive_delay_s", 95, "arrived_bytes"),
        "receive_drop_share": _share(samples, "receive_drops", "frames_received"),
        "backlog_bytes_p95": _percentile(samples, "backlog_bytes", 95),
        "queue_drop_share": _share(samples, "queue_drops", "frames_received"),
        "retransmission_share": _share(samples, "retransmissions", "segments_sent"),
    }


def _reasons(
    figures: Mapping[str, float | None], thresholds: FidelitySpec, speed: float, delays: Delays | None
) -> Iterator[str]:
    """A line for each figure that is beyond its threshold."""
    slowest, queue_s = (delays.slowest, delays.queue_s) if delays else ("", 0.0)
    if (idle := figures["cpu_idle_p05"]) is not None and idle < thresholds.min_cpu_idle:
        yield f"cpu_idle_p05 {idle:.2f} is below {thresholds.min_cpu_idle:g}: the machine had no CPU to spare"
    for figure, most, meaning in (
        ("cpu_steal_p95", thresholds.max_cpu_steal, "other guests of the host took CPU away"),
        ("run_queue_delay_s_p95", thresholds.max_run_queue_delay_s, "the switches waited for a core"),
        (
            "agents_run_queue_delay_s_p95",
            thresholds.max_agents_delay_modelled_s / speed,
            "the agents waited for a core",
        ),
        ("receive_delay_s_p95", thresholds.max_receive_delay_s, "packets waited for the switches"),
        (
            "packet_delay_s_p99",
            max(thresholds.max_packet_delay_s, thresholds.max_packet_delay_queues * queue_s),
            f"datagrams were held up, most on {slowest}",
        ),
        ("receive_drop_share", thresholds.max_receive_drop_share, "packets were lost before the switches"),
        ("rate_shortfall", thresholds.max_rate_error, "links did not carry what they should"),
        ("decision_share", thresholds.max_decision_share, "jobs waited for the strategy to decide"),
    ):
        if (value := figures[figure]) is not None and value > most:
            yield f"{figure} {value:.3g} is above {most:g}: {meaning}"


def _percentile(samples: Sequence[Sample], name: str, percent: float, per: str | None = None) -> float:
    """Percentile over the samples, or over what `per` counts in them, each at its sample's mean.

    The latter for what few packets of a quiet interval say little about.
    """
    values = [getattr(sample, name) for sample in samples]
    if per is None:
        return float(np.percentile(values, percent))
    counts = [getattr(sample, per) for sample in samples]
    return float(np.quantile(values, percent / 100, weights=counts, method="inverted_cdf")) if any(counts) else 0.0


def _share(samples: Sequence[Sample], part: str, whole: str) -> float:
    """One count over another, both summed over the run; 0 when there was nothing to count."""
    total = sum(getattr(sample, whole) for sample in samples)
    return sum(getattr(sample, part) for sample in samples) / total if total else 0.0
