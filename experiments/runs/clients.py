"""What clients do to files during a run: each operation at its time, and after those before it on the same file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from experiments.errors import ExperimentError
from experiments.runs.file_access import FileAccess
from experiments.runs.progress import OnProgress
from experiments.specification.files import FileTask, threads
from placement import PlacementError
from workloads.coordination.cluster import AgentError
from workloads.coordination.coordinator import Coordinator


class FileOperationError(ExperimentError):
    """A client could not do what it was to; the message says which operation on which file, and why."""


class Clients:
    """The clients of one run.

    Args:
        tasks: what they do, in order of time.
        host: where those are of which nothing is said.
        access: to the files of the cluster.
        pool: the agents.
        wait_until_s: waits until a modelled time.
        on_progress: takes the news.
    """

    def __init__(
        self,
        tasks: Sequence[FileTask],
        host: str,
        access: FileAccess,
        pool: Coordinator,
        wait_until_s: Callable[[float], Awaitable[None]],
        on_progress: OnProgress,
    ) -> None:
        self._threads = threads(tasks)
        self._host = host
        self._access = access
        self._pool = pool
        self._wait_until_s = wait_until_s
        self._say = on_progress

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """All of it: operations on the same files one after the other, on others beside them."""
        return [self._follow(thread) for thread in self._threads]

    async def _follow(self, thread: Sequence[FileTask]) -> None:
        for task in thread:
            await self._wait_until_s(task.at_s)
            try:
                await self._do(task)
            except (AgentError, PlacementError) as error:
                raise FileOperationError(f"{task.operation} {task.file}: {error}") from error
            self._say(f"{task.operation} {task.file} done")

    async def _do(self, task: FileTask) -> None:
        access, host = self._access, task.host or self._host
        names, files = access.names, access.files
        names.know_dead(self._pool.dead_hosts)
        await access.settled([task.file])
        began = self._pool.clock()
        if task.operation == "read":
            await access.read(host, task.file)
            names.has_read(task.file, task.user, host, began, self._pool.clock())
        elif task.operation == "rename":
            names.rename(task.file, task.to, task.user, began)
        elif task.operation == "delete":
            await access.delete(task.file, task.user)
        else:
            if task.operation == "change":
                await files.drop(names.forget(task.file))
            blocks, sizes = names.place(task.file, task.size, host)
            reports = await files.write(host, blocks, sizes, access.sink)
            digests = [report.digest for report in reports]
            names.has_written(task.operation, task.file, task.user, host, began, self._pool.clock(), digests)
        await access.settled([task.to or task.file])
