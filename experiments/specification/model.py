"""What to measure: one experiment as a validated document, in the units of the modelled cluster."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from experiments.documents.quantities import Bytes, parse_bytes
from experiments.specification.files import FilesSpec
from experiments.specification.jobs import WorkloadSpec
from experiments.specification.nodes import NodeSpec, NodesSpec, with_rates
from experiments.specification.parts import Name, OneOrMore, Part, Seconds, Shorthand
from experiments.specification.published import PublishedSpec
from experiments.specification.retention import RetentionSpec
from experiments.specification.topology import TopologySpec, with_network
from placement.request import Weights
from topologies.constants import UNSCALED, Constants
from topologies.emulated.shaping import FRAME_BYTES
from topologies.topology import Topology
from workloads.scale import Scale
from workloads.schedule import LATEST_S

SCHEMA_VERSION: Final = 1
MODELLED_S_PER_WALL_S: Final = 128

MOST_RUNS = 100_000
_LONGEST_QUEUE_BYTES = 2**32 - 1  # of tc
_LARGEST_SUPER_FRAME_BYTES = 2**16

Threshold = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class WeightsSpec(Part):
    """Weights of the two parts of the placement cost for one kind of job; they add up to 1 (thesis, 6.4.2)."""

    closeness: Share
    locality: Share

    @model_validator(mode="after")
    def _add_up(self) -> WeightsSpec:
        Weights(self.closeness, self.locality)
        return self


class ColocationSpec(Part):
    """What a user of CoLoc describes in advance; jobs that are not described go by Hadoop's defaults."""

    jobs: Annotated[tuple[str, ...], Field(min_length=1), OneOrMore()] | None = Field(
        default=None, description="Job ids or profiles; all jobs when left out"
    )
    nodes: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="That a job's data goes to; as many as its workers need when left out"
    )
    container_nodes: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="That host its containers; those with its data when left out, others join above that"
    )


class StrategySpec(Shorthand):
    """One placement strategy: a built-in name or `module:Class`, with its options."""

    name: str
    label: str = Field(
        default="", max_length=50, description="Name in tables and figures; the strategy's own name when left out"
    )
    options: dict[str, Any] = Field(default={}, description="Arguments of its class")
    weights: dict[str, WeightsSpec] = Field(
        default={}, description="Instead of the profile's, by job id, profile, or `all`"
    )
    colocation: ColocationSpec | None = Field(
        default=None, description="For strategies that follow colocation descriptions; all jobs when left out"
    )

    @model_validator(mode="before")
    @classmethod
    def _label(cls, value: Any) -> Any:  # noqa: ANN401 - anything that YAML can hold
        value = cls._whole(value)
        if isinstance(value, Mapping) and isinstance(value.get("name"), str) and not value.get("label"):
            return {**value, "label": value["name"].rpartition(":")[2]}
        return value


class DataSpec(Part):
    """How input files are stored."""

    replication: Annotated[int, Field(ge=1)] = 3
    block_bytes: Bytes = 128 * 2**20
    load: Literal["direct", "network"] = Field(
        default="direct", description="direct: put into the stores before the clock starts; network: written over it"
    )


def _or_auto(parse: Callable[[Any], float], least: float, most: float, hint: str) -> BeforeValidator:
    """Accepts `auto`, or a number between two bounds, which the hint names."""

    def chosen(value: object) -> object:
        if value == "auto":
            return value
        try:
            number = math.nan if isinstance(value, bool) else parse(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not least <= number <= most:
            raise ValueError(f"give {hint}, or auto")
        return number

    return BeforeValidator(chosen)


def _switch(value: object) -> object:
    if value != "auto" and not isinstance(value, bool):
        raise ValueError("give true, false or auto")
    return value


_SIZE_OR_AUTO = WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}], "examples": ["auto", "24 KiB"]})
_QueueBytes = Annotated[
    int | Literal["auto"],
    _or_auto(
        parse_bytes,
        FRAME_BYTES,
        _LONGEST_QUEUE_BYTES,
        f"at least a frame of {FRAME_BYTES} bytes, which it would drop, and less than 4 GiB",
    ),
    _SIZE_OR_AUTO,
]
_SuperFrameBytes = Annotated[
    int | Literal["auto"],
    _or_auto(parse_bytes, FRAME_BYTES, _LARGEST_SUPER_FRAME_BYTES, f"{FRAME_BYTES} bytes to 64 KiB"),
    _SIZE_OR_AUTO,
]
_RtoMin = Annotated[float | Literal["auto"], _or_auto(float, 0.001, 1.0, "0.001 to 1 second")]
_RtoMax = Annotated[float | Literal["auto"], _or_auto(float, 1.0, 120.0, "1 to 120 seconds")]


class NetworkSpec(Part):
    """How the emulated network forwards, in wall seconds and bytes on the wire.

    `auto` divides what takes its own time on the modelled cluster as the divisors divide everything else.
    """

    congestion_control: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")] = "cubic"
    queue_bytes: _QueueBytes = Field(default="auto", description="Drop-tail queue of every switch port")
    short_packets_first: Annotated[bool | Literal["auto"], BeforeValidator(_switch)] = Field(
        default="auto", description="Whether packets of less than 256 bytes pass longer ones at switch ports"
    )
    super_frame_bytes: _SuperFrameBytes = Field(
        default="auto", description="The most that a host hands to its interface at once"
    )
    rto_min_s: _RtoMin = Field(default="auto", description="TCP's least retransmission time-out")
    rto_max_s: _RtoMax = Field(default="auto", description="TCP's longest time between two retransmissions")
    connections: Literal["engine", "task-pairs"] = Field(
        default="engine",
        description="engine: one from each container to each other one, which all exchanges share; "
        "task-pairs: one for each exchange between two tasks",
    )
    datapath: Literal["auto", "kernel", "userspace"] = "auto"

    def constants(self, scale: Scale) -> Constants:
        """Those of an emulation with these divisors; with none, of the modelled cluster."""
        asked = {field.name: getattr(self, field.name) for field in dataclasses.fields(Constants)}
        given = {name: value for name, value in asked.items() if value != "auto"}
        return dataclasses.replace(UNSCALED.scaled(scale.rate_divisor, scale.volume_divisor), **given)


class ControllerSpec(Part):
    """The network's controller."""

    poll_interval_s: Annotated[float, Field(ge=0.05, le=5)] = Field(
        default=0.5, description="Between counter reads, wall time"
    )
    multipath: Literal["ecmp", "least-loaded"] = Field(
        default="ecmp", description="How flows spread over parallel paths"
    )
    library: Literal["os-ken", "ryu"] = "os-ken"


def _divisor(most: float) -> BeforeValidator:
    return _or_auto(float, 1, most, f"a number from 1 to {most:,}")


class ScaleSpec(Part):
    """How much smaller the emulation is than the cluster it models."""

    rate_divisor: Annotated[float | Literal["auto"], _divisor(10_000)] = Field(
        default="auto", description="Divides every rate; auto: the smallest that the machine carries with CPU to spare"
    )
    volume_divisor: Annotated[float | Literal["auto"], _divisor(10**9)] = Field(
        default="auto",
        description=f"Divides all bytes and CPU seconds; auto: {MODELLED_S_PER_WALL_S} times the rate divisor",
    )

    def volume_divisor_for(self, rate_divisor: float) -> float:
        """The volume divisor that goes with a rate divisor."""
        return MODELLED_S_PER_WALL_S * rate_divisor if self.volume_divisor == "auto" else self.volume_divisor


class ReplicaSpec(Part):
    """A replica of a block."""

    file: str
    block: Annotated[int, Field(ge=0)] = 0
    host: str | None = Field(default=None, description="Which replica; the first one when left out")


class FailureSpec(Part):
    """A link or a host that goes away during the run, and when it returns; or a replica that becomes another."""

    at_s: Seconds
    link: str | None = None
    host: str | None = None
    corrupt: ReplicaSpec | None = Field(
        default=None, description="A replica that is altered together with its checksum, so that readers do not notice"
    )
    restore_after_s: Annotated[float, Field(gt=0, le=LATEST_S)] | None = None

    @model_validator(mode="after")
    def _one(self) -> FailureSpec:
        if [self.link, self.host, self.corrupt].count(None) != 2:
            raise ValueError("give one of `link`, `host` and `corrupt`")
        if self.link is None and self.restore_after_s is not None:
            raise ValueError("restore_after_s: only links come back; remove it, or let a link fail")
        return self


class FidelitySpec(Part):
    """From where on a run is called doubtful: the machine, not the modelled network, set its times.

    Percentiles are over the samples of a run, that of the packets' wait over their bytes. Seconds are on the wall where
    a name does not say otherwise.
    """

    min_cpu_idle: Share = Field(default=0.05, description="Share of the machine's CPU time left idle, 5th percentile")
    max_cpu_steal: Share = Field(default=0.1, description="Share of CPU time taken by other guests, 95th percentile")
    max_rate_error: Share = Field(default=0.1, description="What up-links may lack of their max-min fair rate")
    max_run_queue_delay_s: Threshold = Field(
        default=0.005, description="Mean wait for a core of the switches, 95th percentile"
    )
    max_agents_delay_modelled_s: Threshold = Field(
        default=0.32,
        description="Mean wait for a core of the agent that waits longest, 95th percentile, in modelled seconds",
    )
    max_receive_delay_s: Threshold = Field(
        default=0.02, description="Wait of packets for the switches, 95th percentile"
    )
    max_packet_delay_s: Threshold = Field(
        default=0.04, description="What datagrams take longer than the queues of their path explain, 99th percentile"
    )
    max_packet_delay_queues: Threshold = Field(
        default=1.25,
        description="The same, in times that the slowest switch port takes to send a full queue; the longer of both",
    )
    max_decision_share: Share = Field(
        default=0.01, description="Share of the jobs' times that they may wait for the strategy to place them"
    )
    max_receive_drop_share: Share = Field(default=0.001, description="Frames lost before the switches, of all there")


class Specification(Part):
    """One experiment: every strategy runs the same workload on every network, `repeats` times."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: Name
    description: str = ""
    folder: str | None = Field(
        default=None, description="Where its paths start and modules of strategies lie; that of its file when left out"
    )
    topology: TopologySpec = TopologySpec()
    strategies: Annotated[tuple[StrategySpec, ...], Field(min_length=1), OneOrMore()]
    workload: WorkloadSpec
    node: NodeSpec = NodeSpec()
    nodes: Annotated[tuple[NodesSpec, ...], Field(max_length=1000), OneOrMore()] = Field(
        default=(), description="Nodes that differ from `node`"
    )
    data: DataSpec = DataSpec()
    network: NetworkSpec = NetworkSpec()
    controller: ControllerSpec = ControllerSpec()
    scale: ScaleSpec = ScaleSpec()
    seed: Annotated[int, Field(ge=0, le=2**53)] = 1
    repeats: Annotated[int, Field(ge=1, le=10_000)] = 1
    max_attempts: Annotated[int, Field(ge=1, le=100)] = Field(
        default=2, description="Attempts of a job that loses a host; the next one goes to live nodes"
    )
    job_deadline_wall_s: Annotated[float, Field(gt=0, le=30 * 86_400)] = Field(
        default=600.0, description="Wall seconds after which an attempt of a job fails"
    )
    files: Annotated[tuple[FilesSpec, ...], Field(max_length=1000), OneOrMore()] = Field(
        default=(), description="What clients do to files meanwhile"
    )
    retention: RetentionSpec | None = Field(default=None, description="Files that are kept provable; none by default")
    failures: Annotated[tuple[FailureSpec, ...], Field(max_length=1000)] = ()
    fidelity: FidelitySpec = FidelitySpec()
    published: PublishedSpec | None = Field(
        default=None, description="What was published of clients' operations on files, beside what is measured"
    )

    @model_validator(mode="before")
    @classmethod
    def _network(cls, value: Any) -> Any:  # noqa: ANN401 - anything that YAML can hold
        return with_network(value)

    @field_validator("strategies")
    @classmethod
    def _labels(cls, strategies: tuple[StrategySpec, ...]) -> tuple[StrategySpec, ...]:
        for label, times in Counter(strategy.label for strategy in strategies).items():
            if times > 1:
                raise ValueError(f"label {label!r} is used twice; give each strategy its own `label`")
        return strategies

    @model_validator(mode="after")
    def _few_runs(self) -> Specification:
        if self.run_count > MOST_RUNS:
            raise ValueError(
                f"repeats: {self.repeats}: makes {self.run_count:,} runs; give at most {MOST_RUNS:,} in all"
            )
        return self

    def build_topology(self, blocking_factor: float | None) -> Topology:
        """The modelled network with one of the blocking factors, and its hosts' own rates.

        Raises:
            ValueError: parameters that make no network.
        """
        return with_rates(self.topology.build(blocking_factor), self.nodes)

    @property
    def run_count(self) -> int:
        """How many runs there are: one for each repeat, network and strategy."""
        return self.repeats * len(self.topology.factors) * len(self.strategies)
