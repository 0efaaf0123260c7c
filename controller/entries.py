"""What a switch is told, as values: groups, flow entries, and the commands that put them there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

ETH_TYPE_ARP = 0x0806
ETH_TYPE_IPV4 = 0x0800
ETH_TYPE_LLDP = 0x88CC

Match: TypeAlias = tuple[tuple[str, "int | str | tuple[str, str]"], ...]
"""Pairs of an OpenFlow match field and its value or (value, mask), sorted by field."""


@dataclass(frozen=True, slots=True)
class Group:
    """A select group: one bucket of equal weight per port, each watching its own port.

    The bucket's id is its port number: the switch hashes bucket ids, so a flow keeps its port when another port
    joins or leaves. `seed` perturbs the switch's flow hash; it has to differ between switches on one path.
    """

    group_id: int
    ports: tuple[int, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class ToPort:
    """Send out of one port."""

    port_no: int


@dataclass(frozen=True, slots=True)
class ToGroup:
    """Let a group choose the port."""

    group_id: int


@dataclass(frozen=True, slots=True)
class ToController:
    """Hand the packet to the controller."""


Output: TypeAlias = ToPort | ToGroup | ToController


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow entry. Two flows of equal `key` are the same entry of the switch's table.

    The switch removes it when no packet has matched for `idle_timeout_s`; 0 means never.
    """

    priority: int
    match: Match
    output: Output
    idle_timeout_s: int = 0

    @property
    def key(self) -> tuple[int, Match]:
        """What makes it one entry: adding another flow with this key replaces it."""
        return self.priority, self.match


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything one switch has to hold."""

    groups: Mapping[int, Group] = field(default_factory=dict)
    flows: Mapping[tuple[int, Match], Flow] = field(default_factory=dict)

    @classmethod
    def of(cls, groups: Iterable[Group], flows: Iterable[Flow]) -> Rules:
        """Rules of these groups and flows."""
        return cls({group.group_id: group for group in groups}, {flow.key: flow for flow in flows})

    def with_flows(self, flows: Iterable[Flow]) -> Rules:
        """The same rules and these flows."""
        return Rules(self.groups, {**self.flows, **{flow.key: flow for flow in flows}})


@dataclass(frozen=True, slots=True)
class PutGroup:
    """Add the group, or change the one with its id."""

    group: Group


@dataclass(frozen=True, slots=True)
class DeleteGroup:
    """Remove a group, and every flow entry that points to it."""

    group_id: int


@dataclass(frozen=True, slots=True)
class PutFlow:
    """Add the flow, or replace the entry with its key, under the controller's generation."""

    flow: Flow


@dataclass(frozen=True, slots=True)
class DeleteFlow:
    """Remove exactly this entry."""

    flow: Flow


@dataclass(frozen=True, slots=True)
class DeleteOtherGenerations:
    """Remove every entry that this run of the controller has not put there."""


@dataclass(frozen=True, slots=True)
class ListGroups:
    """Ask which groups exist."""


@dataclass(frozen=True, slots=True)
class Confirm:
    """Ask to be told when everything before this has been done; `token` comes back."""

    token: int


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send an Ethernet frame out of a port."""

    port_no: int
    frame: bytes


@dataclass(frozen=True, slots=True)
class ReadCounters:
    """Ask for the counters of all ports."""


Command: TypeAlias = (
    PutGroup
    | DeleteGroup
    | PutFlow
    | DeleteFlow
    | DeleteOtherGenerations
    | ListGroups
    | Confirm
    | SendFrame
    | ReadCounters
)


def changes(installed: Rules | None, desired: Rules) -> list[Command]:
    """Commands that lead from the installed to the desired rules without a moment in which a routed packet is lost.

    Groups come before the flows that use them; what is no longer wanted goes last. With nothing known about what is
    installed (None: the switch has just connected), everything is put, then what other runs left is removed.
    """
    before = installed or Rules()
    commands: list[Command] = [
        PutGroup(group) for group in desired.groups.values() if before.groups.get(group.group_id) != group
    ]
    commands += [PutFlow(flow) for key, flow in desired.flows.items() if before.flows.get(key) != flow]
    if installed is None:
        return [*commands, DeleteOtherGenerations(), ListGroups()]
    commands += [DeleteFlow(flow) for key, flow in before.flows.items() if key not in desired.flows]
    commands += [DeleteGroup(group_id) for group_id in before.groups if group_id not in desired.groups]
    return commands
