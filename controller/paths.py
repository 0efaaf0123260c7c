"""Which way flows go: the paths that the rules allow, and the one that a switch's hash chooses for a given flow."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Literal

from controller.entries import Rules
from controller.routing import destination_prefixes
from topologies.topology import Endpoint, Topology

Protocol = Literal["tcp", "udp"]

_TIMEOUT_S = 5.0
_OUTPUT = re.compile(r"^\s*output:(\d+)", re.MULTILINE)
_MOST_HOPS = 16
_REST = 4  # times as long as it took to ask


@dataclass(frozen=True, slots=True)
class Path:
    """Link ids and switch names in the order in which a packet meets them."""

    links: tuple[str, ...]
    switches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlowTuple:
    """A flow between two hosts, by their names."""

    source: str
    destination: str
    protocol: Protocol
    source_port: int
    destination_port: int


class TraceError(RuntimeError):
    """The switches could not be asked."""


def ask_vswitchd(*arguments: str) -> str:
    """Answer of the running ovs-vswitchd to a command such as `ofproto/trace`, over its control socket.

    Raises:
        TraceError: it cannot be reached, or it refuses the command.
    """
    directory = FilePath(os.environ.get("OVS_RUNDIR", "/var/run/openvswitch"))
    try:
        pid = (directory / "ovs-vswitchd.pid").read_text().strip()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.settimeout(_TIMEOUT_S)
            control.connect(str(directory / f"ovs-vswitchd.{pid}.ctl"))
            request = {"id": 0, "method": arguments[0], "params": list(arguments[1:])}
            control.sendall(json.dumps(request).encode())
            answer = _read_document(control)
    except OSError as error:
        raise TraceError(f"ovs-vswitchd does not answer in {directory}: {error}") from error
    if answer.get("error") is not None:
        raise TraceError(f"ovs-vswitchd: {str(answer['error']).strip()}")
    return str(answer["result"])


def _read_document(control: socket.socket) -> dict[str, object]:
    text = bytearray()
    while chunk := control.recv(1 << 18):
        text += chunk
        if chunk.endswith(b"}"):
            with contextlib.suppress(ValueError):  # a brace within the answer
                document: dict[str, object] = json.loads(text)
                return document
    raise ConnectionError("the connection ended within an answer")


class PathFinder:
    """Finds paths. What a flow's hash chooses is asked of the switches, who know, and not computed again here."""

    def __init__(self, topology: Topology, ask: Callable[..., str] = ask_vswitchd) -> None:
        self._topology = topology
        self._ask = ask
        self._hosts = {host.name: host for host in topology.hosts}
        self._turn = threading.Lock()
        self._waiting: deque[FlowTuple] = deque()  # as many as wait for their turn, not in its order
        self._group_ids = {name: number for number, name in enumerate(destination_prefixes(topology), start=1)}

    def possible(self, source: str, destination: str, rules: Mapping[str, Rules]) -> list[Path]:
        """Every path that the installed groups allow between two hosts; none from a host to itself."""
        if source == destination:
            return []
        first, last = (self._topology.host_link[host] for host in (source, destination))
        paths: list[Path] = []

        def extend(links: tuple[str, ...], switches: tuple[str, ...]) -> None:
            here = switches[-1]
            if here == last.b.node:
                paths.append(Path((*links, last.id), switches))
                return
            held = rules.get(here, Rules()).groups.get(self._group_ids[last.b.node])
            for port_no in held.ports if held else ():
                link = self._topology.link_at[Endpoint(here, port_no)]
                neighbour = link.far(here).node
                if neighbour not in switches:
                    extend((*links, link.id), (*switches, neighbour))

        extend((first.id,), (first.b.node,))
        return paths

    def selected(self, flow: FlowTuple) -> tuple[Path | None, str]:
        """The path that this flow takes now, and how it is known; None and why when it is not.

        One at a time; when others wait, the switches are left alone for a while, lest who asks take their CPU.
        """
        self._waiting.append(flow)
        with self._turn:
            self._waiting.popleft()
            began_s = time.monotonic()
            found = self._traced(flow)
            if self._waiting:
                time.sleep(_REST * (time.monotonic() - began_s))
            return found

    def _traced(self, flow: FlowTuple) -> tuple[Path | None, str]:
        if flow.source == flow.destination:
            return None, "a host reaches itself without the network"
        link = self._topology.host_link[flow.source]
        links, switches = [link.id], []
        arrival = link.b
        for _ in range(_MOST_HOPS):
            switches.append(arrival.node)
            try:
                trace = self._ask("ofproto/trace", arrival.node, self._fields(flow, arrival.port_no))
            except TraceError as error:
                return None, str(error)
            ports = _OUTPUT.findall(trace)
            link_out = self._topology.link_at.get(Endpoint(arrival.node, int(ports[-1]))) if ports else None
            if link_out is None:
                return None, f"{arrival.node} drops it"
            links.append(link_out.id)
            arrival = link_out.far(arrival.node)
            if arrival.node in self._hosts:
                return Path(tuple(links), tuple(switches)), "ofproto/trace"
        return None, f"it has not arrived after {_MOST_HOPS} switches"

    def _fields(self, flow: FlowTuple, in_port: int) -> str:
        source, destination = self._hosts[flow.source], self._hosts[flow.destination]
        return (
            f"in_port={in_port},{flow.protocol},dl_src={source.mac},dl_dst={destination.mac},nw_ttl=64,"
            f"nw_src={source.ip},nw_dst={destination.ip},"
            f"{flow.protocol}_src={flow.source_port},{flow.protocol}_dst={flow.destination_port}"
        )
