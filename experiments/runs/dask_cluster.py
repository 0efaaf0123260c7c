"""A campaign on several machines: runs are tasks of a Dask cluster, one emulation at a time on each machine.

A task is one repeat of one point with all its strategies, which therefore run on the same machine. The specification
travels to the worker and the folders of the runs travel back, so the machines share no files.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from experiments.documents.atomic import atomic_file, write_text
from experiments.documents.nofollow import followed, make_folder
from experiments.errors import ExperimentError
from experiments.records.record import Kind
from experiments.records.results_folder import Assignment, ResultsFolder
from experiments.runs.campaign import unfinished
from experiments.runs.dask_worker import PROBLEMS, REQUEST
from experiments.runs.progress import Reporter, Show
from experiments.specification import specification_file

if TYPE_CHECKING:
    from distributed import Client, Future

RESOURCE: Final = "emulation"
CONNECT_TIMEOUT_S: Final = 10
_RUN_DEADLINE_S: Final = 86_400  # for a run, beside what its jobs may take
_ENDING_S: Final = 60
_ROOT = Path(__file__).resolve().parents[2]
_SIMULATION = (sys.executable, "-m", "experiments.runs.dask_worker")
_EMULATION = (sys.executable, "-m", "topologies.emulated.isolation", "--", *_SIMULATION)


class ClusterError(ExperimentError):
    """Something that the cluster cannot do; the message names it and the remedy."""


@dataclass(frozen=True)
class Wanted:
    """What to do with runs: emulate or simulate them; by force, although the calibration is out of tolerance."""

    kind: Kind
    force: bool


@dataclass(frozen=True)
class Task:
    """Runs of one point and repeat, to be done on one machine.

    Attributes:
        prefix: what tells the point from others in messages, with a slash at the end.
        specification: of the point, in YAML, with nothing left in other files.
        run_ids: the runs; a doubtful one is repeated.
        records: record.json of the runs of this point that have finished already.
        wanted: what to do with them.
        deadline_s: for the program that does the runs; one that is stuck holds a machine no longer.
    """

    prefix: str
    specification: str
    run_ids: tuple[str, ...]
    records: Mapping[str, str]
    wanted: Wanted
    deadline_s: float


@contextlib.contextmanager
def connect(address: str) -> Iterator[Client]:
    """A client of the scheduler at an address such as tcp://10.0.0.1:8786.

    Raises:
        ClusterError: the library is missing, or nobody answers.
    """
    try:
        import distributed
    except ImportError as error:
        remedy = "install it with `.venv/bin/python -m pip install distributed`"
        raise ClusterError(f"--scheduler: the library `distributed` is not installed; {remedy}") from error
    try:
        client = distributed.Client(address, timeout=CONNECT_TIMEOUT_S)
    except (OSError, ValueError, TypeError) as error:
        remedy = "start one as docs/sweeps.md says, and give its address, such as tcp://10.0.0.1:8786"
        raise ClusterError(f"--scheduler {address}: no scheduler answers there ({error}); {remedy}") from error
    with client:
        yield client


def run_all(
    client: Client,
    assignments: Sequence[Assignment],
    wanted: Wanted,
    reporter: Reporter,
    notice: Callable[[str], None],
    program: Sequence[str] = (),
) -> list[str]:
    """Do those runs that have not finished yet on the workers of a cluster.

    Args:
        client: of the cluster's scheduler.
        assignments: the runs, in the order in which to begin them.
        wanted: what to do with them.
        reporter: shows what has arrived.
        notice: takes a line for the user.
        program: what a worker starts instead of the testbed, with the folder of the task as its argument.

    Returns:
        What went wrong, a line for each failed run or task.
    """
    from distributed import as_completed

    left = unfinished(assignments)
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    emulates = wanted.kind == "emulated"
    if left and not any(worker["resources"].get(RESOURCE) or not emulates for worker in workers):
        lacking = f"none offers the resource yet (--resources {RESOURCE}=1)" if emulates else "there is none yet"
        notice(f"waiting for a worker: {lacking}")
    groups = dict(_submitted(client, left, wanted, program))
    problems: list[str] = []
    with reporter.runs(len(left)) as show:
        last_s = time.monotonic()
        for future in as_completed(list(groups)):
            group = groups.pop(future)
            lost = ""
            try:
                found = store(group[0].folder, group, future.result())
            except Exception as error:
                lost = f"{group[0].prefix}{group[0].run.id} and its group: {' '.join(str(error).split())}"
                found = [lost]
            problems += found
            now_s = time.monotonic()
            _show_group(show, group, found, lost, (last_s, now_s))
            last_s = now_s
    return problems


def _submitted(
    client: Client, assignments: Sequence[Assignment], wanted: Wanted, program: Sequence[str]
) -> Iterator[tuple[Future, list[Assignment]]]:
    """What is to come of each task, and the task's assignments; those that are given first begin first."""
    resources = {RESOURCE: 1} if wanted.kind == "emulated" else {}
    for number, (task, group) in enumerate(_tasks(assignments, wanted)):
        # Tasks are not pure: the same one, given again, is to be done again.
        yield client.submit(perform, task, program, resources=resources, pure=False, priority=-number), group


def _show_group(
    show: Show, group: Sequence[Assignment], problems: Sequence[str], lost: str, span_s: tuple[float, float]
) -> None:
    """Show how the runs of a task went, each as if it had taken an equal share of the time since the task before."""
    since_s, now_s = span_s
    for assignment in group:
        name = f"{assignment.prefix}{assignment.run.id}"
        failed = [line for line in problems if line.startswith((f"{name}: ", f"{name}-again: "))]
        with show(name, now_s - (now_s - since_s) / len(group)) as on_progress:
            on_progress(lost or "; ".join(failed) or "finished")


def _tasks(assignments: Sequence[Assignment], wanted: Wanted) -> Iterator[tuple[Task, list[Assignment]]]:
    """A task for each point and repeat, with its assignments."""
    groups: dict[tuple[Path, int], list[Assignment]] = {}
    for assignment in assignments:
        groups.setdefault((assignment.folder.path, assignment.run.repeat), []).append(assignment)
    for group in groups.values():
        folder, ids = group[0].folder, tuple(assignment.run.id for assignment in group)
        finished = {record.run_id: record.to_json() for record in folder.records() if record.status == "finished"}
        specification = folder.specification()
        deadline_s = 2 * len(ids) * (_RUN_DEADLINE_S + specification.job_deadline_wall_s)  # a doubtful run is repeated
        document = specification_file.dump(specification)
        yield Task(group[0].prefix, document, ids, finished, wanted, deadline_s), group


def perform(task: Task, program: Sequence[str] = ()) -> bytes:
    """Do a task on the machine of this worker; emulate when no other worker of the machine does.

    Returns:
        The folders of the new runs and what went wrong, as a compressed archive.

    Raises:
        ClusterError: the program that does the runs ended without a result, or not in time; the message has its last
            words.
    """
    import distributed

    own = followed(distributed.get_worker().local_directory)
    emulates = task.wanted.kind == "emulated"
    with (
        _machine(fcntl.LOCK_EX if emulates else fcntl.LOCK_SH) as lock,
        tempfile.TemporaryDirectory(dir=own) as scratch,
    ):
        folder, errors = Path(scratch, "task"), Path(scratch, "errors.txt")
        _unpack(task, folder)
        with errors.open("wb") as output:
            process = subprocess.Popen(
                [*(program or (_EMULATION if emulates else _SIMULATION)), str(folder)],
                cwd=_ROOT,
                stdin=subprocess.PIPE,  # never written to: ends when this process does
                stdout=output,
                stderr=output,
                pass_fds=(lock,),
            )
            ended = _ended(process, task.deadline_s)
        if ended != "ended with exit code 0" or not (folder / PROBLEMS).is_file():
            words = errors.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise ClusterError(f"the runs {ended} on {os.uname().nodename}: {words[0]}")
        return _pack(folder, set(task.records))


def _ended(process: subprocess.Popen[bytes], deadline_s: float) -> str:
    """How a process came to its end, which it is brought to when the time is over."""
    with process:
        try:
            return f"ended with exit code {process.wait(deadline_s)}"
        except subprocess.TimeoutExpired:
            try:
                process.communicate(timeout=_ENDING_S)  # closes its standard input
            except subprocess.TimeoutExpired:
                process.kill()
            return f"had not ended after {deadline_s:.0f} s and were stopped"


def store(folder: ResultsFolder, group: Sequence[Assignment], archive: bytes) -> list[str]:
    """Write what came back from a task into its results folder; every record last, for it says what there is.

    Returns:
        What went wrong, a line for each failed run.

    Raises:
        ClusterError: the archive holds something else than these runs.
    """
    expected = {run_id for one in group for run_id in (one.run.id, f"{one.run.id}-again")}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        files = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        contents = {name: file.read() for name, file in files.items() if file is not None}
    problems: list[str] = json.loads(contents.pop(PROBLEMS))
    for name in sorted(contents, key=lambda name: (name.endswith("/record.json"), name)):
        parts = PurePosixPath(name).parts
        if len(parts) < 3 or parts[0] != "runs" or parts[1] not in expected or ".." in parts:
            raise ClusterError(f"{name}: a worker sent what was not asked for; start workers of this version only")
        path = folder.path.joinpath(*parts)
        make_folder(path.parent)
        with atomic_file(path) as file:
            file.write(contents[name])
    return problems


@contextlib.contextmanager
def _machine(lock: int) -> Iterator[int]:
    """This machine, for one emulation at a time or for several simulations: who inherits the descriptor keeps it, after
    the worker is killed too.
    """
    descriptor = os.open(Path(__file__).parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, lock)
        yield descriptor
    finally:
        os.close(descriptor)


def _unpack(task: Task, folder: Path) -> None:
    (folder / "runs").mkdir(parents=True)
    write_text(folder / "specification.yaml", task.specification)
    request = {"runs": task.run_ids, "place": task.prefix, **dataclasses.asdict(task.wanted)}
    write_text(folder / REQUEST, json.dumps(request))
    for run_id, record in task.records.items():
        (folder / "runs" / run_id).mkdir()
        write_text(folder / "runs" / run_id / "record.json", record)


def _pack(folder: Path, known: set[str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(folder / PROBLEMS, PROBLEMS)
        for run in sorted((folder / "runs").iterdir()):
            if run.name not in known:
                tar.add(run, f"runs/{run.name}")
    return buffer.getvalue()
