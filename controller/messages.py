"""Commands as OpenFlow 1.5 messages of the library that `ryu` and `os-ken` share, and the switches they go to.

Imports neither: a connected switch brings the library's classes with it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, TypeAlias

from controller.entries import (
    Command,
    DeleteFlow,
    DeleteGroup,
    DeleteOtherGenerations,
    Flow,
    Group,
    ListGroups,
    Output,
    PutFlow,
    PutGroup,
    ReadCounters,
    SendFrame,
    ToController,
    ToGroup,
    ToPort,
)

Foreign: TypeAlias = Any
"""An object of the library, which has no types."""

GENERATION_BITS = 24
_MODIFY_OR_ADD = 0x8000
"""Open vSwitch's group command OFPGC11_ADD_OR_MOD."""
_SELECTION_METHOD = (0x0000154D, 1)
"""Experimenter id and type of Open vSwitch's group property that chooses the hash."""
_HASHED_FIELDS = (
    (0x80000000 | 10 << 9, 1),  # ip_proto
    (0x80000000 | 11 << 9, 4),  # ipv4_src
    (0x80000000 | 12 << 9, 4),  # ipv4_dst
    (0x80000000 | 13 << 9, 2),  # tcp_src
    (0x80000000 | 14 << 9, 2),  # tcp_dst
    (0x80000000 | 15 << 9, 2),  # udp_src
    (0x80000000 | 16 << 9, 2),  # udp_dst
)


class SelectByHash:
    """Open vSwitch's group property: choose the bucket by a hash over addresses, protocol and ports, from a seed.

    The library's own class for it packs 32-bit words only, which the fields are not.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def serialize(self) -> bytes:
        """The property's bytes, padded to a multiple of 8."""
        fields = b"".join((header | size).to_bytes(4, "big") + b"\xff" * size for header, size in _HASHED_FIELDS)
        body = struct.pack("!II4x16sQ", *_SELECTION_METHOD, b"hash", self._seed) + fields
        prop = struct.pack("!HH", 0xFFFF, 4 + len(body)) + body
        return prop + bytes(-len(prop) % 8)


class Switchboard:
    """The connected switches, by dpid; turns commands into messages.

    `generation` marks every flow entry of this run; entries with another one are left-overs.
    """

    def __init__(self, generation: int) -> None:
        self._generation = generation % (1 << GENERATION_BITS)
        self.datapaths: dict[int, Foreign] = {}

    def send(self, dpid: int, commands: Sequence[Command]) -> None:
        """Send commands to a switch, in order; does nothing when it is not connected."""
        datapath = self.datapaths.get(dpid)
        if datapath is not None:
            for command in commands:
                for message in self._messages(datapath, command):
                    datapath.send_msg(message)

    def _messages(self, datapath: Foreign, command: Command) -> list[Foreign]:
        ofp, parser = datapath.ofproto, datapath.ofproto_parser
        if isinstance(command, PutFlow):
            return [self._flow_mod(datapath, ofp.OFPFC_ADD, command.flow)]
        if isinstance(command, DeleteFlow):
            return [self._flow_mod(datapath, ofp.OFPFC_DELETE_STRICT, command.flow)]
        if isinstance(command, DeleteOtherGenerations):
            return self._delete_other_generations(datapath)
        if isinstance(command, PutGroup):
            return [_group_mod(datapath, command.group)]
        if isinstance(command, DeleteGroup):
            return [parser.OFPGroupMod(datapath, ofp.OFPGC_DELETE, ofp.OFPGT_SELECT, command.group_id)]
        if isinstance(command, ListGroups):
            return [parser.OFPGroupStatsRequest(datapath, 0, ofp.OFPG_ALL)]
        if isinstance(command, ReadCounters):
            return [parser.OFPPortStatsRequest(datapath, 0, ofp.OFPP_ANY)]
        if isinstance(command, SendFrame):
            actions = [parser.OFPActionOutput(command.port_no)]
            match = parser.OFPMatch(in_port=ofp.OFPP_CONTROLLER)
            return [parser.OFPPacketOut(datapath, ofp.OFP_NO_BUFFER, match, actions, command.frame)]
        barrier = parser.OFPBarrierRequest(datapath)
        barrier.set_xid(command.token)
        return [barrier]

    def _flow_mod(self, datapath: Foreign, action: int, flow: Flow) -> Foreign:
        ofp, parser = datapath.ofproto, datapath.ofproto_parser
        return parser.OFPFlowMod(
            datapath,
            cookie=self._generation,
            command=action,
            priority=flow.priority,
            idle_timeout=flow.idle_timeout_s,
            out_port=ofp.OFPP_ANY,
            out_group=ofp.OFPG_ANY,
            match=parser.OFPMatch(**dict(flow.match)),
            instructions=[parser.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS, [_action(datapath, flow.output)])],
        )

    def _delete_other_generations(self, datapath: Foreign) -> list[Foreign]:
        """One deletion for each bit in which another generation can differ from ours."""
        ofp, parser = datapath.ofproto, datapath.ofproto_parser
        return [
            parser.OFPFlowMod(
                datapath,
                cookie=~self._generation & 1 << bit,
                cookie_mask=1 << bit,
                command=ofp.OFPFC_DELETE,
                table_id=ofp.OFPTT_ALL,
                out_port=ofp.OFPP_ANY,
                out_group=ofp.OFPG_ANY,
                match=parser.OFPMatch(),
            )
            for bit in range(GENERATION_BITS)
        ]


def _action(datapath: Foreign, output: Output) -> Foreign:
    ofp, parser = datapath.ofproto, datapath.ofproto_parser
    if isinstance(output, ToPort):
        return parser.OFPActionOutput(output.port_no)
    if isinstance(output, ToGroup):
        return parser.OFPActionGroup(output.group_id)
    assert isinstance(output, ToController)
    return parser.OFPActionOutput(ofp.OFPP_CONTROLLER, ofp.OFPCML_NO_BUFFER)


def _group_mod(datapath: Foreign, group: Group) -> Foreign:
    ofp, parser = datapath.ofproto, datapath.ofproto_parser
    buckets = [
        parser.OFPBucket(
            bucket_id=port_no,
            actions=[parser.OFPActionOutput(port_no)],
            properties=[
                parser.OFPGroupBucketPropWeight(type_=ofp.OFPGBPT_WEIGHT, weight=1),
                parser.OFPGroupBucketPropWatch(type_=ofp.OFPGBPT_WATCH_PORT, watch=port_no),
            ],
        )
        for port_no in group.ports
    ]
    return parser.OFPGroupMod(
        datapath,
        command=_MODIFY_OR_ADD,
        type_=ofp.OFPGT_SELECT,
        group_id=group.group_id,
        buckets=buckets,
        properties=[SelectByHash(group.seed)],
    )
