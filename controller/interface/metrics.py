"""The controller's figures in Prometheus's text format."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from controller.core import Core


class _Figures(Collector):
    def __init__(self, core: Core) -> None:
        self._core = core

    def collect(self) -> Iterator[Metric]:
        yield from self._network()
        yield from self._links()

    def _network(self) -> Iterator[Metric]:
        now, plan = self._core.snapshot, self._core.topology
        yield GaugeMetricFamily(
            "controller_ready", "1 when the network is as planned and routed", now.status == "ready"
        )
        yield GaugeMetricFamily("controller_switches_connected", "Planned switches connected", now.switches_connected)
        yield GaugeMetricFamily("controller_switches_planned", "Switches of the plan", len(plan.switches))
        yield GaugeMetricFamily(
            "controller_unexpected",
            "Switches, ports and links that the plan does not have",
            len(now.findings.unexpected_links) + len(now.findings.unexpected_switches),
        )
        up = GaugeMetricFamily("link_up", "1 when the link works", labels=["link"])
        for link in plan.links:
            up.add_metric([link.id], float(now.link_states[link.id] == "up"))
        yield up

    def _links(self) -> Iterator[Metric]:
        labels = ["link", "direction"]
        sent = CounterMetricFamily("link_transmitted_bytes", "Bytes sent into the link", labels=labels)
        packets = CounterMetricFamily("link_transmitted_packets", "Packets sent into the link", labels=labels)
        drops = CounterMetricFamily("link_dropped_packets", "Packets dropped in front of the link", labels=labels)
        rate = GaugeMetricFamily("link_bits_per_second", "Rate over the last poll interval", labels=labels)
        share = GaugeMetricFamily("link_utilisation_ratio", "Rate over planned capacity", labels=labels)
        capacity = GaugeMetricFamily("link_capacity_bits_per_second", "Planned capacity", labels=labels)
        for (link_id, direction), use in self._core.counters.latest.items():
            where = [link_id, direction]
            sent.add_metric(where, use.tx_bytes)
            packets.add_metric(where, use.tx_packets)
            drops.add_metric(where, use.drops)
            if use.bits_per_s is not None and use.utilisation is not None:
                rate.add_metric(where, use.bits_per_s)
                share.add_metric(where, use.utilisation)
            capacity.add_metric(where, use.capacity_mbps * 1e6)
        yield from (sent, packets, drops, rate, share, capacity)


def exposition(core: Core) -> tuple[bytes, int, dict[str, str]]:
    """Body, status code and headers of the answer to a scrape."""
    registry = CollectorRegistry()
    registry.register(_Figures(core))
    return generate_latest(registry), 200, {"content-type": CONTENT_TYPE_PLAIN_0_0_4}
