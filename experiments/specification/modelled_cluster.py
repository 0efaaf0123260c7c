"""What a specification means to the placement strategies: nodes, files, container requests and colocations."""

from __future__ import annotations

from experiments.specification.model import ColocationSpec, Specification, StrategySpec
from experiments.specification.nodes import of_hosts
from placement import Cluster, Colocation, ContainerRequest, File, Hops, Node, Placement, PlacementError, Weights
from topologies.topology import Topology
from workloads.job import Job, Result
from workloads.profiles import Profile


def nodes(specification: Specification, topology: Topology) -> list[Node]:
    """The machines."""
    each = of_hosts(specification.node, specification.nodes, topology)
    return [
        Node(host.name, host.rack, node.slots, node.memory_mb, max(node.slots, node.cores))
        for host, node in zip(topology.hosts, each.values(), strict=True)
    ]


def cluster(specification: Specification, topology: Topology) -> Cluster:
    """The machines and the hops between them."""
    return Cluster(nodes(specification, topology), Hops(*topology.switch_hops))


def files(specification: Specification, job: Job) -> tuple[File, ...]:
    """The input files of a job, as they are to be stored: in blocks of their own size, or else the cluster's.

    Results of other jobs are not among them.
    """
    data = specification.data
    return tuple(
        File(read.file, read.bytes, data.replication, read.block_bytes or data.block_bytes)
        for read in job.reads
        if read.result_of is None
    )


def result_files(specification: Specification, job: Job, result: Result, placement: Placement) -> tuple[File, ...]:
    """The files that tasks write into the folder of a result, when the job's containers are where they are."""
    data, replication = specification.data, job.stage_by_name[result.stage].write_replication
    return tuple(
        File(name, size, replication, data.block_bytes, placement[job.container_of(task)])
        for task, (name, size) in enumerate(result.parts(job.tasks))
        if size
    )


def colocation(specification: Specification, strategy: StrategySpec, job: Job) -> Colocation | None:
    """What a user of CoLoc describes before loading a job's files: that they belong together, on as many nodes as the
    strategy's `colocation` says or else as the job's workers need where slots are fewest.

    Of a job that reads nothing but the result of another one, it is the folder that will have it. None for a job that
    is not described, or of whose input a user can say neither.
    """
    wanted = strategy.colocation or ColocationSpec()
    described = wanted.jobs is None or job.job_id in wanted.jobs or job.profile in wanted.jobs
    own = tuple(read.file for read in job.reads if read.result_of is None)
    if not described or not (own or len(job.reads) == 1):
        return None
    usual = specification.node.slots
    slots = min([usual, *(kind.slots or usual for kind in specification.nodes)])
    needed = -(-(job.containers - 1) // slots)
    return Colocation(
        signature=job.profile,
        files=own,
        folder=None if own else job.reads[0].file,
        size=wanted.nodes or needed,
        container_nodes=wanted.container_nodes or 0,
    )


def weights(profile: Profile) -> Weights:
    """What matters to jobs of a profile.

    Raises:
        PlacementError: its weights are not numbers from 0 to 1 that add up to 1; the message names the profile.
    """
    try:
        return Weights(**profile.weights)
    except PlacementError as error:
        raise PlacementError(f"profile {profile.name}: {error}") from error


def request(strategy: StrategySpec, job: Job, profile: Profile) -> ContainerRequest:
    """What a job asks of the resource manager, with the weights of the strategy or else of its profile."""
    given = (strategy.weights.get(name) for name in (job.job_id, job.profile, "all"))
    chosen = next(filter(None, given), None)
    return ContainerRequest(
        job_id=job.job_id,
        signature=job.profile,
        containers=job.containers,
        inputs=tuple(job.files),
        memory_mb=job.memory_mb,
        vcores=job.vcores,
        weights=weights(profile) if chosen is None else Weights(chosen.closeness, chosen.locality),
    )
