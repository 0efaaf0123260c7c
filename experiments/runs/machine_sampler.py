"""Samples of what the machine does while a run goes on, for the verdict on it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from experiments.records.verdict import Sample
from topologies.emulated import programs
from topologies.emulated.kernel_counters import frames_received, queues, receive_queues, tcp_counters

INTERVAL_S = 0.5
_LITTLE_BYTES = 64 * 1024  # too little traffic in an interval to speak of waiting


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

    def stop(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join()

    def samples(self) -> tuple[Sample, ...]:
        """All samples, when it has ended.

        Raises:
            OSError, psutil.Error, ProgramError: sampling had failed.
        """
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
    sockets = programs.run(["ss", "--packet", "--memory", "--processes", "--no-header", "-0"])
    waiting, lost = receive_queues(sockets)
    forwarded, backlog, drops = queues(json.loads(programs.run(["tc", "-j", "-s", "qdisc", "show"])))
    tcp = [tcp_counters(Path(f"/proc/{pid}/net/snmp").read_text()) for pid in probes.host_pids]
    return _Counters(
        time_s=now,
        cpu=psutil.cpu_times(),
        datapath_cpu_s=datapath.user + datapath.system,
        datapath_delay=_delay(probes.datapath_pid),
        agent_delays=tuple(_delay(pid) for pid in probes.agent_pids),
        receive_queue_bytes=waiting,
        receive_drops=lost,
        frames_received=frames_received(json.loads(programs.run(["ip", "-j", "-s", "link", "show"]))),
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
