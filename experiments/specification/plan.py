"""From a specification to the list of its runs, after everything that can be checked without running."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from experiments.documents.diagnostics import Path, SpecificationError, nearest, problem
from experiments.specification import modelled_cluster, strategy_modules
from experiments.specification.files import problems as file_problems
from experiments.specification.files import tasks
from experiments.specification.job_files import is_path
from experiments.specification.model import Specification, StrategySpec
from experiments.specification.nodes import problems as node_problems
from experiments.specification.retention import problems as retention_problems
from experiments.specification.workload import submissions
from placement import Hooks, Node, strategy_names
from topologies.topology import Topology
from workloads.job import Job
from workloads.profiles import profile_names
from workloads.schedule import Submission, preset_names

MOST_BLOCKS = 500_000


@dataclass(frozen=True)
class Run:
    """One run of an experiment: one strategy on one network with one seed.

    Runs of the same `repeat` share their seed, whatever the strategy and the network, so that they can be compared
    in pairs.
    """

    id: str
    specification: Specification
    strategy: StrategySpec
    blocking_factor: float | None
    repeat: int
    seed: int

    def build_topology(self) -> Topology:
        """The modelled network of this run, with undivided capacities."""
        return self.specification.build_topology(self.blocking_factor)


def runs_of(specification: Specification) -> tuple[Run, ...]:
    """All runs, in the order in which to do them.

    Repeats are the outermost loop and the strategies rotate by one with every repeat and network, so that slow
    changes of the machine hit all strategies alike. The seed of a run is the specification's plus the repeat.
    """
    runs: list[Run] = []
    strategies = specification.strategies
    for repeat in range(specification.repeats):
        for path, factor in enumerate(specification.topology.factors):
            first = (repeat + path) % len(strategies)
            for strategy in strategies[first:] + strategies[:first]:
                network = [] if factor is None else [f"bf{factor:g}"]
                run_id = "-".join([f"r{repeat:02d}", *network, _slug(strategy.label)])
                runs.append(Run(run_id, specification, strategy, factor, repeat, specification.seed + repeat))
    return tuple(runs)


def check(specification: Specification) -> None:
    """Refuse what cannot run although every value is well formed; strategies and jobs are made for a try.

    Raises:
        SpecificationError: unknown names, options that a strategy does not take, jobs larger than the cluster, more
            blocks than can be placed, failures of things that do not exist; one line for each.
    """
    topology = specification.build_topology(specification.topology.factors[0])
    found = [problem(*one) for one in node_problems(specification.nodes, topology)]
    if found:
        raise SpecificationError(found)
    found = [
        *_strategies(specification),
        *_workload(specification, topology),
        *_data(specification, topology),
        *(problem(*one) for one in file_problems(specification.files, topology)),
        *(problem(*one) for one in retention_problems(specification.retention, topology)),
        *_failures(specification, topology),
    ]
    if found:
        raise SpecificationError(found)


def _strategies(specification: Specification) -> Iterator[str]:
    slugs = [_slug(strategy.label) for strategy in specification.strategies]
    for index, strategy in enumerate(specification.strategies):
        if ":" not in strategy.name and strategy.name not in strategy_names():
            hint = f"unknown strategy; {nearest(strategy.name, strategy_names())}"
            yield problem(("strategies", index, "name"), strategy.name, hint)
            continue
        try:
            made = strategy_modules.load(specification, strategy)
        except ValueError as error:
            yield f"strategies.{index}: {error}"
        else:
            if strategy.colocation is not None and not isinstance(made, Hooks):
                yield f"strategies.{index}.colocation: {strategy.name!r} follows no such descriptions; remove it"
        if slugs.index(slugs[index]) < index:
            yield problem(("strategies", index, "label"), strategy.label, "too like another label; change it")


def _workload(specification: Specification, topology: Topology) -> Iterator[str]:
    name = specification.workload.preset
    if name is not None and name not in preset_names() and not is_path(name):
        yield problem(("workload", "preset"), name, f"unknown schedule; {nearest(name, preset_names())}")
        return
    known = {*profile_names(), *specification.workload.profiles}
    for index, job in enumerate(specification.workload.jobs):
        if job.profile not in known and not is_path(job.profile):
            hint = f"unknown profile; {nearest(job.profile, known)}"
            yield problem(("workload", "jobs", index, "profile"), job.profile, hint)
            return
    try:
        submitted = submissions(specification)
    except ValueError as error:
        yield f"workload: {error}"
        return
    nodes = modelled_cluster.nodes(specification, topology)
    jobs: dict[str, Job] = {}
    wrong = list(dict.fromkeys(line for one in submitted for line in _job(one, jobs, nodes)))
    yield from wrong or [*_named_jobs(specification, submitted), *_blocks(specification, jobs.values())]


def _named_jobs(specification: Specification, submitted: Sequence[Submission]) -> Iterator[str]:
    """Names of jobs and profiles outside of the workload that nothing has."""
    profiles = {submission.loaded.name for submission in submitted}
    for name in specification.workload.shuffle_factors:
        if name not in profiles.union(profile_names()):
            hint = f"unknown profile; {nearest(name, profiles.union(profile_names()))}"
            yield problem(("workload", "shuffle_factors"), name, hint)
    jobs = profiles.union(submission.job_id for submission in submitted)
    weighted = {*jobs, *profile_names(), "all"}
    for index, strategy in enumerate(specification.strategies):
        for name in strategy.weights:
            if name not in weighted:
                hint = f"no such job or profile; {nearest(name, weighted)}"
                yield problem(("strategies", index, "weights"), name, hint)
        for name in (strategy.colocation and strategy.colocation.jobs) or ():
            if name not in jobs:
                yield problem(("strategies", index, "colocation", "jobs"), name, f"no such job; {nearest(name, jobs)}")


def _blocks(specification: Specification, jobs: Iterable[Job]) -> Iterator[str]:
    """More blocks than can be placed one by one."""
    size, blocks = specification.data.block_bytes, 0
    for job in jobs:
        blocks += sum(file.block_count for file in modelled_cluster.files(specification, job))
        blocks += sum(job.tasks * -(-stage.write_bytes // (job.tasks * size)) for stage in job.stages)
    blocks += sum(-(-task.size // size) for task in tasks(specification.files))
    if blocks > MOST_BLOCKS:
        hint = f"makes {blocks:,} blocks of all data; give at least as much as makes {MOST_BLOCKS:,}, or less input"
        yield problem(("data", "block_bytes"), specification.data.block_bytes, hint)


def _job(submission: Submission, before: dict[str, Job], nodes: Sequence[Node]) -> Iterator[str]:
    """What is wrong with a job, which joins those before it."""
    path: Path = ("workload", submission.job_id)
    try:
        job = before[submission.job_id] = submission.job(before)
        modelled_cluster.weights(submission.loaded)
    except ValueError as error:
        yield f"workload: {error}"
        return
    node, count = nodes[0], len(nodes)
    if job.memory_mb > node.memory_mb:
        hint = f"a node has {node.memory_mb} MiB; give nodes more memory_bytes or take another profile"
        yield problem((*path, "memory_mb"), job.memory_mb, hint)
    elif job.vcores > node.vcores:
        hint = f"a node has {node.vcores}; give nodes more cores or take another profile"
        yield problem((*path, "vcores"), job.vcores, hint)
    elif job.containers > count * (each := min(node.slots, node.memory_mb // job.memory_mb, node.vcores // job.vcores)):
        why = f", of {job.memory_mb} MiB and {job.vcores} vcores each" if each < node.slots else ""
        hint = f"the cluster has {count * each} slots ({count} nodes x {each}{why}); ask for fewer containers"
        yield problem((*path, "containers"), job.containers, hint)
    if not job.input_bytes:
        yield problem((*path, "input_bytes"), job.input_bytes, "it reads nothing; name an input in its profile")


def _data(specification: Specification, topology: Topology) -> Iterator[str]:
    nodes = len(topology.hosts)
    for index, strategy in enumerate(specification.strategies):
        for key in ("nodes", "container_nodes"):
            wanted = getattr(strategy.colocation, key, None)
            if wanted is not None and wanted > nodes:
                path: Path = ("strategies", index, "colocation", key)
                yield problem(path, wanted, f"the cluster has {nodes} nodes; give at most that")
    if specification.data.replication > nodes:
        hint = f"there are {nodes} nodes and no two replicas share one; give at most that"
        yield problem(("data", "replication"), specification.data.replication, hint)


def _failures(specification: Specification, topology: Topology) -> Iterator[str]:
    hosts = [host.name for host in topology.hosts]
    for index, failure in enumerate(specification.failures):
        if failure.link is not None and failure.link not in topology.link_by_id:
            hint = f"no such link; {nearest(failure.link, topology.link_by_id)}"
            yield problem(("failures", index, "link"), failure.link, hint)
        named: list[tuple[Path, str | None]] = [(("failures", index, "host"), failure.host)]
        if failure.corrupt is not None:
            named.append((("failures", index, "corrupt", "host"), failure.corrupt.host))
        for path, host in named:
            if host is not None and host not in hosts:
                yield problem(path, host, f"no such host; {nearest(host, hosts)}")


def _slug(text: str) -> str:
    """A text as part of a folder's name."""
    return "".join(letter if letter.isalnum() or letter in "._" else "-" for letter in text).strip("-.") or "x"
