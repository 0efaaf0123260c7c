"""Which files are kept provable, and by what kind of ledger (thesis, chapter 7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from experiments.documents.diagnostics import nearest
from experiments.specification.parts import OneOrMore, Part, Seconds
from retention.annotations import AgePolicy, Annotations
from retention.terms import MOST_GAS, Terms
from topologies.topology import Topology
from workloads.schedule import LATEST_S

_Duration = Annotated[float, Field(gt=0, le=LATEST_S)]
_Times = Annotated[int, Field(ge=0)]


class PolicySpec(Part):
    """Files that are tracked from when they have been used like this on, in modelled seconds."""

    age_s: Seconds = Field(default=0.0, description="since they were written first, at least")
    unchanged_s: Seconds = Field(default=0.0, description="since they were last written, at least")
    reads: _Times = Field(default=0, description="that they have had, at least")
    changes: _Times | None = Field(default=None, description="that they have had, at most")


class ChainSpec(Part):
    """The ledger, whose blocks come at modelled times."""

    block_s: Annotated[float, Field(ge=0.01, le=LATEST_S)] = Field(
        default=7.5, description="Modelled seconds between blocks"
    )
    intervals: Literal["exponential", "fixed"] = Field(
        default="exponential", description="exponential: as proof of work finds blocks"
    )
    confirmations: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=5, description="Blocks that have to come until a transaction is confirmed, its own among them"
    )
    gas_limit: Annotated[int, Field(ge=MOST_GAS["create"], le=10**12)] = Field(
        default=30_000_000, description="Most that the transactions of a block may take"
    )
    index: bool = Field(default=True, description="Whether a contract of its own knows which file has which contract")


class RetentionSpec(Part):
    """Files that are tracked on a ledger, and what is done with that during a run."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    track: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(max_length=1000), OneOrMore()] = Field(
        default=(), description="Patterns of names: `*` and `?` stay within a folder, `**` does not"
    )
    policies: Annotated[tuple[PolicySpec, ...], Field(max_length=100), OneOrMore()] = Field(
        default=(), description="Uses that make a file tracked"
    )
    digest: Literal["blocks", "file"] = Field(
        default="blocks",
        description="blocks: over their checksums, read where they are; file: one host reads all of it",
    )
    gateway: str | None = Field(
        default=None, description="Where whole files are hashed that have been written; the first host"
    )
    validation: Literal["never", "reads"] = Field(
        default="never", alias="validate", description="reads: whoever reads a tracked file proves it before it is used"
    )
    wait: Literal["cached", "confirmed"] = Field(
        default="cached",
        description="confirmed: an operation is done, and a job ends, when the ledger confirms it",
    )
    queue: Literal["creation", "confirm"] = Field(
        default="creation", description="What an operation waits for: the file's contract, or the operation before it"
    )
    retain_s: _Duration | None = Field(default=None, description="For how long tracked files must not be deleted")
    expire: bool = Field(default=False, description="Whether they are deleted when that time is over")
    chain: ChainSpec = ChainSpec()

    @model_validator(mode="after")
    def _complete(self) -> RetentionSpec:
        if not self.track and not self.policies:
            raise ValueError("nothing is tracked; give patterns in `track`, or `policies`")
        if self.expire and self.retain_s is None:
            raise ValueError("expire: files have no time that could be over; give `retain_s`")
        return self

    @property
    def annotations(self) -> Annotations:
        """What is to be tracked."""
        return Annotations(self.track, tuple(AgePolicy(**dict(policy)) for policy in self.policies))

    @property
    def terms(self) -> Terms:
        """How the ledger is written."""
        return Terms(self.chain.confirmations, self.queue, self.chain.gas_limit, self.chain.index)


def problems(wanted: RetentionSpec | None, topology: Topology) -> Iterator[tuple[tuple[str, str], object, str]]:
    """What does not fit the network: where the specification asks for it, the value, and the reason with the remedy."""
    hosts = [host.name for host in topology.hosts]
    if wanted is not None and wanted.gateway is not None and wanted.gateway not in hosts:
        yield ("retention", "gateway"), wanted.gateway, f"no such host; {nearest(wanted.gateway, hosts)}"
