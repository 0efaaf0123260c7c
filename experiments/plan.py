"""From a specification to the list of its runs, after everything that can be checked without running."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from experiments.diagnostics import Path, SpecificationError, nearest, problem
from experiments.specification import Specification, StrategySpec, SubmissionSpec
from topologies.topology import Topology


@dataclass(frozen=True)
class Catalogue:
    """The names that a specification may use; None stands for not checked.

    A name with a colon (`module:Class`) or a suffix (`my-profile.yaml`) is loaded by its room and not looked up here.
    """

    strategies: Collection[str] | None = None
    profiles: Collection[str] | None = None
    schedules: Collection[str] | None = None
    multipath: Collection[str] | None = None


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

    def topology(self) -> Topology:
        """The modelled network of this run, with undivided capacities."""
        return self.specification.topology.build(self.blocking_factor)


def resolve(specification: Specification) -> tuple[Run, ...]:
    """All runs, in the order in which to do them.

    Repeats are the outermost loop and the strategies rotate by one with every repeat and network, so that slow
    changes of the machine hit all strategies alike. The seed of a run is the specification's plus the repeat.
    """
    runs: list[Run] = []
    strategies = specification.strategies
    for repeat in range(specification.repeats):
        for place, factor in enumerate(specification.topology.factors):
            first = (repeat + place) % len(strategies)
            for strategy in strategies[first:] + strategies[:first]:
                run_id = "-".join(
                    [f"r{repeat:02d}", *([] if factor is None else [f"bf{factor:g}"]), _slug(strategy.label)]
                )
                runs.append(Run(run_id, specification, strategy, factor, repeat, specification.seed + repeat))
    return tuple(runs)


def check(specification: Specification, catalogue: Catalogue = Catalogue()) -> None:
    """Refuse what cannot run although every value is well formed.

    Raises:
        SpecificationError: names that the catalogue lacks, jobs larger than the cluster, failures of things that
            do not exist; one line for each.
    """
    found = [*_unknown_names(specification, catalogue), *_impossible_jobs(specification), *_failures(specification)]
    slugs = [_slug(strategy.label) for strategy in specification.strategies]
    for index, strategy in enumerate(specification.strategies):
        if slugs.index(slugs[index]) < index:
            found.append(problem(("strategies", index, "label"), strategy.label, "too like another label; change it"))
    if found:
        raise SpecificationError(found)


def _unknown_names(specification: Specification, catalogue: Catalogue) -> Iterator[str]:
    named: list[tuple[Path, str, Collection[str] | None]] = [
        (("strategies", index, "name"), strategy.name, catalogue.strategies)
        for index, strategy in enumerate(specification.strategies)
    ]
    named += [
        (("workload", "jobs", index, "profile"), job.profile, catalogue.profiles)
        for index, job in enumerate(specification.workload.jobs)
    ]
    if specification.workload.preset is not None:
        named.append((("workload", "preset"), specification.workload.preset, catalogue.schedules))
    named.append((("controller", "multipath"), specification.controller.multipath, catalogue.multipath))
    for path, name, known in named:
        if known is not None and name not in known and ":" not in name and not name.endswith((".yaml", ".yml")):
            yield problem(path, name, f"unknown name; {nearest(name, known)}")


def _impossible_jobs(specification: Specification) -> Iterator[str]:
    topology = specification.topology.build(specification.topology.factors[0])
    slots = len(topology.hosts) * specification.node.slots
    for index, job in enumerate(specification.workload.jobs):
        if job.containers is not None and job.containers > slots:
            path: Path = ("workload", "jobs", index, "containers")
            remedy = (
                f"the cluster has {slots} slots ({len(topology.hosts)} nodes x {specification.node.slots}); ask less"
            )
            yield problem(path, job.containers, remedy)
    if specification.data.replication > len(topology.hosts):
        remedy = f"there are {len(topology.hosts)} nodes and no two replicas share one; give at most that"
        yield problem(("data", "replication"), specification.data.replication, remedy)


def _failures(specification: Specification) -> Iterator[str]:
    topology = specification.topology.build(specification.topology.factors[0])
    hosts = [host.name for host in topology.hosts]
    for index, failure in enumerate(specification.failures):
        if failure.link is not None and failure.link not in topology.link_by_id:
            yield problem(
                ("failures", index, "link"), failure.link, f"no such link; {nearest(failure.link, topology.link_by_id)}"
            )
        if failure.host is not None and failure.host not in hosts:
            yield problem(("failures", index, "host"), failure.host, f"no such host; {nearest(failure.host, hosts)}")


def submissions_with_ids(jobs: tuple[SubmissionSpec, ...]) -> tuple[SubmissionSpec, ...]:
    """The jobs of an inline workload, each with an id: its own, or its profile and how many of it there are so far."""
    taken = {job.job_id for job in jobs}
    counts: dict[str, int] = {}
    named: list[SubmissionSpec] = []
    for job in jobs:
        job_id = job.job_id
        stem = _slug(job.profile.rpartition("/")[2].rpartition(".")[0] or job.profile)
        while job_id is None or (job.job_id is None and job_id in taken):
            counts[stem] = counts.get(stem, 0) + 1
            job_id = f"{stem}-{counts[stem]}"
        named.append(job.model_copy(update={"job_id": job_id}))
    return tuple(named)


def _slug(text: str) -> str:
    """A text as part of a folder's name."""
    return "".join(letter if letter.isalnum() or letter in "._" else "-" for letter in text).strip("-.") or "x"
