"""Switches that obey commands as OpenFlow says, without any network: a fake flow table."""

import ipaddress

from controller.entries import (
    Confirm,
    DeleteFlow,
    DeleteGroup,
    DeleteOtherGenerations,
    PutFlow,
    PutGroup,
    ReadCounters,
    SendFrame,
    ToController,
    ToGroup,
    ToPort,
)
from topologies.topology import Endpoint


class FakeSwitch:
    """One switch's tables; entries remember by whom they were put."""

    def __init__(self):
        self.groups = {}
        self.flows = {}
        self.generation = 0
        self.sent = []
        self.tokens = []
        self.reads = 0

    def obey(self, command):
        if isinstance(command, PutGroup):
            self.groups[command.group.group_id] = command.group
        elif isinstance(command, PutFlow):
            if isinstance(command.flow.output, ToGroup):
                assert command.flow.output.group_id in self.groups, (
                    "a switch refuses a flow to a group it does not have"
                )
            self.flows[command.flow.key] = (command.flow, self.generation)
        elif isinstance(command, DeleteFlow):
            self.flows.pop(command.flow.key, None)
        elif isinstance(command, DeleteGroup):
            self.groups.pop(command.group_id, None)
            self.flows = {
                key: entry for key, entry in self.flows.items() if entry[0].output != ToGroup(command.group_id)
            }
        elif isinstance(command, DeleteOtherGenerations):
            self.flows = {key: entry for key, entry in self.flows.items() if entry[1] == self.generation}
        elif isinstance(command, SendFrame):
            self.sent.append((command.port_no, command.frame))
        elif isinstance(command, Confirm):
            self.tokens.append(command.token)
        elif isinstance(command, ReadCounters):
            self.reads += 1

    def ports(self, address):
        """Ports that a packet to this address may leave by."""
        matching = [
            flow
            for flow, _ in self.flows.values()
            if "ipv4_dst" in dict(flow.match)
            and ipaddress.ip_address(address) in _network(dict(flow.match)["ipv4_dst"])
        ]
        if not matching:
            return ()
        output = max(matching, key=lambda flow: flow.priority).output
        if isinstance(output, ToPort):
            return (output.port_no,)
        if isinstance(output, ToGroup):
            return self.groups[output.group_id].ports
        assert isinstance(output, ToController)
        return ()


def _network(value):
    return ipaddress.ip_network("/".join(value) if isinstance(value, tuple) else value)


class FakeSwitches:
    """All switches of a topology, by name and by dpid; `send` is what the core calls."""

    def __init__(self, topology):
        self.topology = topology
        self.by_dpid = {switch.dpid: FakeSwitch() for switch in topology.switches}
        self.by_name = {switch.name: self.by_dpid[switch.dpid] for switch in topology.switches}
        self.connected = set()

    def send(self, dpid, commands):
        if dpid in self.connected:
            for command in commands:
                self.by_dpid[dpid].obey(command)

    def routes(self, source, destination):
        """Every sequence of links that packets from host to host may take; raises on a loop."""
        address = {host.name: host.ip for host in self.topology.hosts}[destination]
        first = self.topology.host_link[source]
        found = []

        def follow(links, here, visited):
            assert here not in visited, f"loop: {links}"
            for port in self.by_name[here].ports(address):
                link = self.topology.link_at[Endpoint(here, port)]
                far = link.a.node if link.b.node == here else link.b.node
                if far == destination:
                    found.append((*links, link.id))
                else:
                    follow((*links, link.id), far, {*visited, here})

        follow((first.id,), first.b.node, set())
        return found
