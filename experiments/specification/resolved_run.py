"""A run with all that follows from its specification: made once, and handed down to whoever does the run."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.specification import modelled_cluster
from experiments.specification.nodes import of_hosts
from experiments.specification.plan import Run
from experiments.specification.workload import submissions
from placement import Cluster, Colocation, ContainerRequest, File
from topologies.topology import Topology
from workloads.job import Job
from workloads.node_model import NodeModel


@dataclass(frozen=True)
class PlannedJob:
    """A job of a run.

    Attributes:
        at_s: modelled seconds after the start of the schedule at which it is submitted, or later, when the jobs whose
            results it reads have ended.
        job: what it does.
        files: its input, as it is to be stored.
        request: what it asks of the resource manager.
        colocation: what CoLoc's users describe before its input is stored; None without a description.
    """

    at_s: float
    job: Job
    files: tuple[File, ...]
    request: ContainerRequest
    colocation: Colocation | None


@dataclass(frozen=True)
class ResolvedRun(Run):
    """A run, its network with undivided capacities, the cluster as strategies see it, and its jobs in order of time."""

    topology: Topology
    cluster: Cluster
    jobs: tuple[PlannedJob, ...]

    @property
    def node_models(self) -> dict[str, NodeModel]:
        """What the agent of each host models."""
        nodes = of_hosts(self.specification.node, self.specification.nodes, self.topology)
        return {host: node.model for host, node in nodes.items()}

    def build_topology(self) -> Topology:
        """The network, which has been built already."""
        return self.topology


def resolve(run: Run) -> ResolvedRun:
    """Resolve a run.

    Raises:
        ScheduleError, ProfileError, JobError, PlacementError: what its specification names is not there, or makes no
            jobs.
        OSError: a file that it names cannot be read.
    """
    specification, strategy, topology = run.specification, run.strategy, run.build_topology()
    jobs: list[PlannedJob] = []
    made: dict[str, Job] = {}
    for submission in submissions(specification):
        job = made[submission.job_id] = submission.job(made)
        jobs.append(
            PlannedJob(
                at_s=submission.at_s,
                job=job,
                files=modelled_cluster.files(specification, job),
                request=modelled_cluster.request(strategy, job, submission.loaded),
                colocation=modelled_cluster.colocation(specification, strategy, job),
            )
        )
    cluster = modelled_cluster.cluster(specification, topology)
    return ResolvedRun(**vars(run), topology=topology, cluster=cluster, jobs=tuple(jobs))
