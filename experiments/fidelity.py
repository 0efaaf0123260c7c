"""Whether the machine kept up with the network it emulated: samples during a run, and the verdict on them.

An emulation that lacks CPU does not fail, it measures something else. What that looks like is sampled all the time:
the CPU left idle or stolen by other guests, how long the switches and the agents waited for a core, how long packets
waited in front of the switches or were lost there, and what the links' own queues did.

The switches' CPU share is recorded and not judged: the userspace datapath looks at all of its ports whenever it wakes
up, so that it reads near a whole core long before it is saturated. Saturation shows as packets that wait.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from experiments.record import Fidelity
from experiments.specification import MODELLED_S_PER_WALL_S, FidelitySpec

INTERVAL_S = 0.5
_LITTLE_BYTES = 64 * 1024  # too little traffic in an interval to speak of waiting


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


@dataclass(frozen=True)
class Probes:
    """What to look at: the switches' process, the agents' processes, and a process in each host's network namespace."""

    datapath_pid: int
    agent_pids: tuple[int, ...]
    host_pids: tuple[int, ...]


@dataclass(frozen=True)
class _Counters:
    """Running totals at one moment; a sample is the difference of two."""

    time_s: float
    cpu: Any
    datapath_cpu_s: float
    datapath_delay: tuple[float, int]
    agent_delays: tuple[tuple[float, int], ...]
    receive_queue_bytes: int
    receive_drops: Mapping[str, int]
    frames_received: int
    backlog_bytes: int
    queue_drops: int
    forwarded_bytes: int
    retransmissions: int
    segments_sent: int


class Sampler:
    """Samples in a thread of its own from `start` to `stop`.

    Start it in the network namespace of the switches.
    """

    def __init__(self, probes: Probes, started: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._probes = probes
        self._started = started
        self._clock = clock
        self._stop = threading.Event()
        self._samples: list[Sample] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="fidelity", daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> tuple[Sample, ...]:
        """End and return all samples.

        Raises:
            OSError, subprocess.CalledProcessError: sampling had failed.
        """
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        return tuple(self._samples)

    def _run(self) -> None:
        try:
            before = _read(self._probes, self._clock())
            while not self._stop.wait(INTERVAL_S):
                after = _read(self._probes, self._clock())
                self._samples.append(_sample(before, after, self._started))
                before = after
        except BaseException as error:
            self._error = error


def rows(samples: Iterable[Sample]) -> list[dict[str, Any]]:
    """Rows of fidelity.parquet."""
    return [{name: float(value) for name, value in asdict(sample).items()} for sample in samples]


def assess(
    samples: Sequence[Sample],
    thresholds: FidelitySpec,
    rate_shortfall: float | None,
    forced: str | None = None,
    decision_share: float | None = None,
    speed: float = MODELLED_S_PER_WALL_S,
) -> Fidelity:
    """The verdict on a run.

    Args:
        samples: of the whole run.
        thresholds: from where on a figure makes the run doubtful.
        rate_shortfall: by how much the calibration before the run fell short, relatively; None when there was none.
        forced: why the run should have been refused, when it was run all the same.
        decision_share: share of the jobs' times that they waited for the strategy. Modelled time goes on meanwhile,
            many times faster than a real cluster's; None when nothing was placed.
        speed: modelled seconds in a second on the wall.
    """
    if not samples:
        return Fidelity(verdict="doubtful", reasons=("the run was too short to be sampled",))
    figures = {
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
        "rate_shortfall": rate_shortfall,
        "decision_share": decision_share,
    }
    reasons = [forced] if forced else []
    if (idle := figures["cpu_idle_p05"]) is not None and idle < thresholds.min_cpu_idle:
        reasons.append(f"cpu_idle_p05 {idle:.2f} is below {thresholds.min_cpu_idle:g}: the machine had no CPU to spare")
    for figure, most, meaning in (
        ("cpu_steal_p95", thresholds.max_cpu_steal, "other guests of the host took CPU away"),
        ("run_queue_delay_s_p95", thresholds.max_run_queue_delay_s, "the switches waited for a core"),
        (
            "agents_run_queue_delay_s_p95",
            thresholds.max_agents_delay_modelled_s / speed,
            "the agents waited for a core",
        ),
        ("receive_delay_s_p95", thresholds.max_receive_delay_s, "packets waited for the switches"),
        ("receive_drop_share", thresholds.max_receive_drop_share, "packets were lost before the switches"),
        ("rate_shortfall", thresholds.max_rate_error, "links did not carry what they should"),
        ("decision_share", thresholds.max_decision_share, "jobs waited for the strategy to decide"),
    ):
        if (value := figures[figure]) is not None and value > most:
            reasons.append(f"{figure} {value:.3g} is above {most:g}: {meaning}")
    return Fidelity(verdict="doubtful" if reasons else "trusted", reasons=tuple(reasons), figures=figures)


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


def _sample(before: _Counters, after: _Counters, started: float) -> Sample:
    elapsed_s = after.time_s - before.time_s
    total = sum(after.cpu[:8]) - sum(before.cpu[:8])  # guest time is part of user time
    forwarded = after.forwarded_bytes - before.forwarded_bytes
    return Sample(
        time_wall_s=after.time_s - started,
        cpu_idle=(after.cpu.idle - before.cpu.idle) / total if total else 1.0,
        cpu_steal=(after.cpu.steal - before.cpu.steal) / total if total else 0.0,
        datapath_cpu=(after.datapath_cpu_s - before.datapath_cpu_s) / elapsed_s,
        run_queue_delay_s=_mean_delay(before.datapath_delay, after.datapath_delay),
        agents_run_queue_delay_s=max(map(_mean_delay, before.agent_delays, after.agent_delays), default=0.0),
        receive_queue_bytes=after.receive_queue_bytes,
        receive_delay_s=_waited_s(after.receive_queue_bytes, forwarded, elapsed_s),
        arrived_bytes=after.receive_queue_bytes + forwarded,
        receive_drops=_increase(before.receive_drops, after.receive_drops),
        frames_received=after.frames_received - before.frames_received,
        backlog_bytes=after.backlog_bytes,
        queue_drops=after.queue_drops - before.queue_drops,
        retransmissions=after.retransmissions - before.retransmissions,
        segments_sent=after.segments_sent - before.segments_sent,
    )


def _increase(before: Mapping[str, int], after: Mapping[str, int]) -> int:
    """By how much counters have grown; one that is less than before has been reset in between."""
    return sum(count - (before.get(name, 0) if count >= before.get(name, 0) else 0) for name, count in after.items())


def _waited_s(waiting_bytes: int, forwarded_bytes: int, elapsed_s: float) -> float:
    """Little's law; what waits while hardly anything is forwarded has waited for the interval."""
    if waiting_bytes + forwarded_bytes <= _LITTLE_BYTES:
        return 0.0
    return elapsed_s * min(1.0, waiting_bytes / max(1, forwarded_bytes))


def _mean_delay(before: tuple[float, int], after: tuple[float, int]) -> float:
    turns = after[1] - before[1]
    return (after[0] - before[0]) / turns if turns > 0 else 0.0


def _read(probes: Probes, now: float) -> _Counters:
    datapath = psutil.Process(probes.datapath_pid).cpu_times()
    sockets = _output("ss", "--packet", "--memory", "--processes", "--no-header", "-0")
    waiting, lost = receive_queues(sockets)
    forwarded, backlog, drops = queues(json.loads(_output("tc", "-j", "-s", "qdisc", "show")))
    tcp = [tcp_counters(Path(f"/proc/{pid}/net/snmp").read_text()) for pid in probes.host_pids]
    return _Counters(
        time_s=now,
        cpu=psutil.cpu_times(),
        datapath_cpu_s=datapath.user + datapath.system,
        datapath_delay=_delay(probes.datapath_pid),
        agent_delays=tuple(_delay(pid) for pid in probes.agent_pids),
        receive_queue_bytes=waiting,
        receive_drops=lost,
        frames_received=frames_received(json.loads(_output("ip", "-j", "-s", "link", "show"))),
        backlog_bytes=backlog,
        queue_drops=drops,
        forwarded_bytes=forwarded,
        retransmissions=sum(counters["RetransSegs"] for counters in tcp),
        segments_sent=sum(counters["OutSegs"] for counters in tcp),
    )


def _delay(pid: int) -> tuple[float, int]:
    """Seconds that the process' main thread waited for a core, and how often it got one (proc(5), schedstat)."""
    try:
        _, waited_ns, turns = Path(f"/proc/{pid}/schedstat").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0, 0  # the process has ended; its end is reported by who waits for it
    return int(waited_ns) / 1e9, int(turns)


def frames_received(links: Sequence[Mapping[str, Any]]) -> int:
    """Frames that arrived at the ports of all switches, from `ip -j -s link show`.

    One that crosses three switches arrives three times.
    """
    return sum(int(link["stats64"]["rx"]["packets"]) for link in links if link["ifname"] != "lo")


def receive_queues(listing: str) -> tuple[int, dict[str, int]]:
    """Bytes waiting in the switches' packet sockets, and by descriptor the packets that each socket dropped.

    From `ss --packet --memory --processes`.
    """
    pattern = r"ovs-vswitchd\",pid=\d+,fd=(\d+)\).*?skmem:\(r(\d+),[^)]*?d(\d+)\)"
    sockets = re.findall(pattern, listing.replace("\n\t", " "))
    return sum(int(waiting) for _, waiting, _ in sockets), {fd: int(lost) for fd, _, lost in sockets}


def queues(qdiscs: Sequence[Mapping[str, Any]]) -> tuple[int, int, int]:
    """Bytes sent, bytes waiting and packets dropped in the links' FIFOs, from `tc -j -s qdisc show`."""
    links = [qdisc for qdisc in qdiscs if qdisc["kind"] == "bfifo"]
    sent, waiting, dropped = (sum(int(qdisc[name]) for qdisc in links) for name in ("bytes", "backlog", "drops"))
    return sent, waiting, dropped


def tcp_counters(snmp: str) -> dict[str, int]:
    """The Tcp line of /proc/net/snmp by name."""
    names, values = (line.split()[1:] for line in snmp.splitlines() if line.startswith("Tcp:"))
    return {name: int(value) for name, value in zip(names, values, strict=True)}


def _output(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=10).stdout
