"""Snapshots as documents of the northbound API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from controller.counters import LinkCounters, LinkKey, LinkUse
from controller.entries import Flow, Rules, ToGroup, ToPort
from controller.interface import schemas
from controller.paths import FlowTuple, Path, PathFinder
from controller.snapshot import Snapshot
from topologies.topology import SCHEMA_VERSION, Link, Topology


def health(plan: Topology, now: Snapshot) -> schemas.Health:
    """The health document."""
    return schemas.Health(
        status=now.status,
        switches_connected=now.switches_connected,
        switches_planned=len(plan.switches),
        links_up=len(plan.links) - len(now.findings.missing_links),
        links_planned=len(plan.links),
        missing_switches=list(now.findings.missing_switches),
        missing_links=list(now.findings.missing_links),
        unexpected_switches=list(now.findings.unexpected_switches),
        unexpected_links=list(now.findings.unexpected_links),
        routes_installed=now.routes_installed,
        discovery_time_s=now.discovery_time_s,
    )


def topology(plan: Topology, now: Snapshot) -> schemas.TopologyDocument:
    """The topology document."""
    missing = set(now.findings.missing_switches)
    return schemas.TopologyDocument(
        schema_version=SCHEMA_VERSION,
        name=plan.name,
        hosts=list(plan.hosts),
        switches=[
            schemas.SwitchDocument(**asdict(switch), connected=switch.name not in missing) for switch in plan.switches
        ],
        links=[
            schemas.LinkDocument(**asdict(link), up=now.link_states[link.id] == "up", state=now.link_states[link.id])
            for link in plan.links
        ],
    )


def hosts(plan: Topology, now: Snapshot) -> schemas.HostsDocument:
    """The hosts document."""
    found = []
    for host in plan.hosts:
        link, seen = plan.host_link[host.name], now.seen.get(host.name)
        found.append(
            schemas.HostDocument(
                **asdict(host),
                switch=link.b.node,
                port_no=link.b.port_no,
                up=now.link_states[link.id] == "up",
                seen_at=f"{seen.switch}:{seen.port_no}" if seen else None,
                seen_time_s=seen.time_s if seen else None,
            )
        )
    return schemas.HostsDocument(hosts=found)


def links(latest: Mapping[LinkKey, LinkUse]) -> schemas.LinksDocument:
    """The links document."""
    return schemas.LinksDocument(
        time_s=max((use.time_s for use in latest.values()), default=0.0),
        links=[
            schemas.LinkUseDocument(
                id=use.link_id,
                direction=use.direction,
                capacity_mbps=use.capacity_mbps,
                time_s=use.time_s,
                age_s=use.age_s,
                tx_bytes=use.tx_bytes,
                tx_packets=use.tx_packets,
                drops=use.drops,
                bits_per_s=use.bits_per_s,
                utilisation=use.utilisation,
            )
            for use in latest.values()
        ],
    )


def history(link: Link, counters: LinkCounters, samples: int) -> schemas.HistoryDocument:
    """The history document of one link."""
    up, down = (
        [schemas.SampleDocument(**asdict(sample)) for sample in counters.history(link.id, direction)[-samples:]]
        for direction in ("up", "down")
    )
    return schemas.HistoryDocument(id=link.id, capacity_mbps=link.capacity_mbps, up=up, down=down)


def paths(
    source: str, destination: str, finder: PathFinder, rules: Mapping[str, Rules], flow: FlowTuple | None
) -> schemas.PathsDocument:
    """The paths document; with a flow, its own path too."""
    selected, how = (None, "give src_port and dst_port to learn the path of one flow")
    if flow is not None:
        selected, how = finder.selected(flow)
    return schemas.PathsDocument(
        source=source,
        destination=destination,
        paths=[_path(path) for path in finder.possible(source, destination, rules)],
        selected=_path(selected) if selected else None,
        selected_by=how,
    )


def _path(path: Path) -> schemas.PathDocument:
    return schemas.PathDocument(links=list(path.links), switches=list(path.switches))


def flows(rules: Mapping[str, Rules], switch: str | None) -> schemas.FlowsDocument:
    """The flows document, of one switch or all."""
    return schemas.FlowsDocument(
        flows=[
            _flow(name, flow, held)
            for name, held in rules.items()
            if switch in (None, name)
            for flow in held.flows.values()
        ]
    )


def _flow(switch: str, flow: Flow, held: Rules) -> schemas.FlowDocument:
    output, ports = "controller", tuple[int, ...]()
    if isinstance(flow.output, ToPort):
        output, ports = f"port {flow.output.port_no}", (flow.output.port_no,)
    elif isinstance(flow.output, ToGroup):
        output, ports = f"group {flow.output.group_id}", held.groups[flow.output.group_id].ports
    match = {name: "/".join(value) if isinstance(value, tuple) else str(value) for name, value in flow.match}
    return schemas.FlowDocument(switch=switch, priority=flow.priority, match=match, output=output, ports=list(ports))
