import json
import re
import threading
from pathlib import Path

import jsonschema_rs
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import settings

from controller.counters import PortCounters
from controller.interface import northbound
from controller.paths import PathFinder, TraceError
from tests.unit.controller.test_core import World
from topologies.fat_tree import fat_tree
from topologies.schema import json_schema
from topologies.topology import Topology


def trace(*arguments):
    """What a switch answers for a flow: this one always takes the first port that leads on."""
    _, switch, flow = arguments
    port = {"t1": 3, "c1": 5, "t2": 1}[switch]
    assert "nw_ttl=64" in flow
    return f'bridge("{switch}")\n 0. ip\n    group:2\n     -> using bucket {port}\n    bucket {port}\n  output:{port}\n'


def world_and_sources(token=None, ask=trace):
    world = World(fat_tree(racks=2))
    world.connect()
    world.run(1)
    for time_s in (1.0, 2.0, 3.0):
        world.now += 0.5
        world.core.counters_read(
            world.dpids["t1"], [PortCounters(3, time_s, 0, int(time_s * 1e6), 0, int(time_s * 700), 0, 0)]
        )
    return world, northbound.Sources(world.core, world.journal, PathFinder(world.topology, ask), token)


OWN = "http://127.0.0.1"
WORLD, SOURCES = world_and_sources()
APP = northbound.application(SOURCES)
CLIENT = TestClient(APP, base_url=OWN)


def get(path, **parameters):
    answer = CLIENT.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8181", "localhost:1", "127.0.0.5", "LOCALHOST", "[::1]:8181", "[::1]"]
)
def test_the_machines_own_names_are_answered(host):
    assert CLIENT.get("/v1/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8181", "127.0.0.1.evil.example", "[::2]:1", "[", "10.0.0.1"]
)
@pytest.mark.parametrize("path", ["/v1/health", "/v1/openapi.json", "/v1/events", "/metrics"])
def test_other_names_are_refused(host, path):
    answer = CLIENT.get(path, headers={"host": host})
    assert answer.status_code == 421
    assert answer.json()["detail"].endswith("is not this machine's own name; ask 127.0.0.1")


def test_with_a_token_any_name_will_do():
    _, sources = world_and_sources("a-token-of-16-letters")
    client = TestClient(northbound.application(sources), base_url="http://testbed.example")
    assert client.get("/v1/health").status_code == 401
    assert client.get("/v1/health", headers={"authorization": "Bearer a-token-of-16-letters"}).status_code == 200


def test_health_names_nothing_when_all_is_as_planned():
    health = get("/v1/health")
    assert health["status"] == "ready"
    assert (health["switches_connected"], health["switches_planned"]) == (4, 4)
    assert (health["links_up"], health["links_planned"]) == (20, 20)
    assert health["missing_links"] == health["missing_switches"] == health["unexpected_links"] == []
    assert health["routes_installed"] is True


def test_the_topology_document_is_the_plan():
    document = get("/v1/topology")
    jsonschema_rs.validate(json_schema(), document)
    assert all(link.pop("up") and link.pop("state") == "up" for link in document["links"])
    assert all(switch.pop("connected") for switch in document["switches"])
    assert Topology.from_json(json.dumps(document)) == WORLD.topology


def test_links_and_their_history():
    (use,) = get("/v1/links")["links"]
    assert (use["id"], use["direction"], use["tx_bytes"]) == ("t1-c1/1", "up", 3_000_000)
    assert use["bits_per_s"] == pytest.approx(8e6)
    assert use["utilisation"] == pytest.approx(8 / use["capacity_mbps"])
    for path in ("t1-c1/1", "t1-c1%2F1"):
        history = get(f"/v1/links/{path}/history", samples=2)
        assert [sample["tx_bytes"] for sample in history["up"]] == [2_000_000, 3_000_000]
        assert history["down"] == []
    assert CLIENT.get("/v1/links/t9-c1/1/history").status_code == 404


def test_hosts_and_flows():
    assert {host["name"]: (host["switch"], host["up"]) for host in get("/v1/hosts")["hosts"]}["h3"] == ("t2", True)
    (flow,) = [flow for flow in get("/v1/flows", switch="t1")["flows"] if flow["output"].startswith("group")]
    assert flow["match"] == {"eth_type": "2048", "ipv4_dst": "10.0.2.0/255.255.255.252"}
    assert flow["ports"] == list(range(3, 11))
    assert CLIENT.get("/v1/flows", params={"switch": "t9"}).status_code == 404


def test_paths_are_all_those_that_packets_may_take_and_the_one_of_a_flow():
    document = get("/v1/paths", src="h1", dst="h3")
    assert {tuple(path["links"]) for path in document["paths"]} == set(WORLD.switches.routes("h1", "h3"))
    assert document["selected"] is None
    flow = get("/v1/paths", src="h1", dst="h3", src_port=40000, dst_port=9000)
    assert flow["selected"] == {"links": ["h1-t1", "t1-c1/1", "t2-c1/1", "h3-t2"], "switches": ["t1", "c1", "t2"]}
    assert flow["selected_by"] == "ofproto/trace"
    assert get("/v1/paths", src="h1", dst="h1")["paths"] == []
    assert CLIENT.get("/v1/paths", params={"src": "h1", "dst": "h99"}).status_code == 404


def test_a_switch_that_cannot_be_asked_leaves_the_path_unknown_and_says_why():
    def ask(*_):
        raise TraceError("ovs-vswitchd does not answer")

    _, sources = world_and_sources(ask=ask)
    client = TestClient(northbound.application(sources), base_url=OWN)
    answer = client.get("/v1/paths", params={"src": "h1", "dst": "h3", "src_port": 1, "dst_port": 2}).json()
    assert answer["selected"] is None
    assert answer["selected_by"] == "ovs-vswitchd does not answer"
    assert len(answer["paths"]) == 32


def test_events_are_sent_from_the_oldest_kept_and_continue_live():
    world, sources = world_and_sources()
    count = len(world.events)
    client = TestClient(northbound.application(sources), base_url=OWN)
    later = threading.Timer(0.3, lambda: world.journal.record("something_new", what="x"))
    later.start()
    with client.stream("GET", "/v1/events", params={"limit": count + 1}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert [event["id"] for event in events] == list(range(1, count + 2))
    assert events[-1]["kind"] == "something_new"
    with client.stream("GET", "/v1/events", params={"limit": 1}, headers={"last-event-id": str(count)}) as answer:
        assert f"id: {count + 1}\n" in answer.read().decode()


def test_metrics_are_prometheus_text():
    answer = CLIENT.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'link_transmitted_bytes_total{direction="up",link="t1-c1/1"} 3e+06' in answer.text
    assert "controller_ready 1.0" in answer.text


def test_with_a_token_nothing_is_told_without_it():
    _, sources = world_and_sources(token="0123456789abcdef")
    client = TestClient(northbound.application(sources), base_url=OWN)
    paths = ["/v1/openapi.json", "/v1/links/t1-c1/1/history", "/v1/paths?src=h1&dst=h3", "/v1/events?limit=1"]
    paths += [
        path for path in get("/v1/openapi.json")["paths"] if "{" not in path and not path.endswith(("events", "paths"))
    ]
    assert len(paths) == 4 + 6
    for path in paths:
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert client.get(path, headers={"Authorization": "Bearer 0123456789abcdef"}).status_code == 200


def test_streams_have_a_limit(monkeypatch):
    monkeypatch.setattr(northbound, "MOST_STREAMS", 0)
    answer = CLIENT.get("/v1/events", params={"limit": 1})
    assert answer.status_code == 503
    assert answer.json() == {"detail": "0 streams are open; close one"}


def test_the_document_is_openapi_3_1_and_versioned():
    document = get("/v1/openapi.json")
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == "1"
    assert all(path.startswith("/v1/") or path == "/metrics" for path in document["paths"])


OWN_NAME = {"Host": "127.0.0.1"}
SCHEMA = schemathesis.openapi.from_asgi("/v1/openapi.json", APP, headers=OWN_NAME).exclude(path="/v1/events")


@SCHEMA.parametrize()
@settings(max_examples=15, deadline=None)
def test_no_request_is_answered_against_the_schema(case):
    case.call_and_validate(headers=OWN_NAME)


def test_the_dashboard_asks_for_figures_that_exist():
    dashboard = json.loads((Path(__file__).parents[4] / "docs/controller-dashboard.json").read_text())
    exported = set(re.findall(r"^# TYPE (\w+)", CLIENT.get("/metrics").text, re.MULTILINE))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    expressions += [each["query"]["query"] for each in dashboard["templating"]["list"] if each["type"] == "query"]
    bare = [re.sub(r"\{.*?\}|\[.*?\]", "", expression) for expression in expressions]
    asked = {name for expression in bare for name in re.findall(r"\b[a-z]\w*\b(?!\()", expression)} - {"or", "link"}
    assert asked <= exported
    assert len(asked) >= 8
