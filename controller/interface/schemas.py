"""The documents of the northbound API, version 1. Units are in the names; times are seconds since the epoch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from controller.journal import Value
from topologies.topology import Direction, Endpoint, Host, Tier

Count = Annotated[int, Field(ge=0)]


class Document(BaseModel):
    """A part of an answer; unknown fields are an error on our side."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Health(Document):
    """Whether the network is as planned and routed."""

    status: Literal["discovering", "ready", "degraded"] = Field(
        description="`ready`: as planned, and every rule is confirmed; `degraded`: routed, but not as planned"
    )
    switches_connected: Count
    switches_planned: Count
    links_up: Count
    links_planned: Count
    missing_switches: list[str]
    missing_links: list[str]
    unexpected_switches: list[str] = Field(description="switches with a dpid that is not planned")
    unexpected_links: list[str] = Field(description="miswired links and ports that are not planned")
    routes_installed: bool
    discovery_time_s: float | None = Field(description="from the first connection of a switch to `ready`")


class HostDocument(Document):
    """A planned host, and where it was last heard, if it ever spoke ARP."""

    name: str
    rack: int
    ip: str
    mac: str
    switch: str
    port_no: int
    up: bool
    seen_at: str | None = Field(description="`switch:port` that it was last heard at")
    seen_time_s: float | None


class HostsDocument(Document):
    """All hosts."""

    hosts: list[HostDocument]


class SwitchDocument(Document):
    """A planned switch."""

    name: str
    dpid: int
    tier: Tier
    rack: int | None
    connected: bool


class LinkDocument(Document):
    """A planned link and its state."""

    id: str
    a: Endpoint
    b: Endpoint
    capacity_mbps: float
    up: bool
    state: Literal["up", "suspect", "down"]


class TopologyDocument(Document):
    """The planned topology (`topologies.schema`) with the state of its switches and links."""

    schema_version: int
    name: str
    hosts: list[Host]
    switches: list[SwitchDocument]
    links: list[LinkDocument]


class LinkUseDocument(Document):
    """What one direction of a link carries; `up` is away from the hosts.

    `time_s` is when its counters arrived, seconds since the epoch; `age_s` when they were read, on the switch's clock.
    """

    id: str
    direction: Direction
    capacity_mbps: float
    time_s: float
    age_s: float
    tx_bytes: Count
    tx_packets: Count
    drops: Count
    bits_per_s: Annotated[float, Field(ge=0)] | None
    utilisation: Annotated[float, Field(ge=0)] | None


class LinksDocument(Document):
    """All link directions that have been read; `time_s` is 0 before the first reading."""

    time_s: float
    links: list[LinkUseDocument]


class SampleDocument(Document):
    """One reading of one link direction."""

    time_s: float
    tx_bytes: Count
    bits_per_s: Annotated[float, Field(ge=0)] | None
    utilisation: Annotated[float, Field(ge=0)] | None
    drops: Count


class HistoryDocument(Document):
    """The last readings of a link, oldest first."""

    id: str
    capacity_mbps: float
    up: list[SampleDocument]
    down: list[SampleDocument]


class PathDocument(Document):
    """A path from host to host: link ids in order."""

    links: list[str]
    switches: list[str]


class PathsDocument(Document):
    """All paths the groups allow, and for a given flow the one that it takes."""

    source: str
    destination: str
    paths: list[PathDocument]
    selected: PathDocument | None = Field(description="the path of the flow asked for, as the switches hash it")
    selected_by: str = Field(description="how `selected` was found, or why it is not known")


class FlowDocument(Document):
    """One flow entry of a switch."""

    switch: str
    priority: int
    match: dict[str, str]
    output: str
    ports: list[int] = Field(description="ports that it may leave by")


class FlowsDocument(Document):
    """The flow entries that the switches have been sent."""

    flows: list[FlowDocument]


class EventDocument(Document):
    """Something that the controller saw or decided; the data of one server-sent event."""

    id: int
    time_s: float
    kind: str
    fields: dict[str, Value]


class Problem(Document):
    """Why a request was not answered."""

    detail: str
