"""Nodes that differ from the others: which they are, what they have, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.documents.diagnostics import SpecificationError
from experiments.specification import modelled_cluster, plan
from experiments.specification.nodes import NodeSpec, NodesSpec, of_hosts, problems
from experiments.specification.resolved_run import resolve
from experiments.specification.specification_file import load, override
from topologies.fat_tree import thesis

THESIS = thesis()
HOSTS = [host.name for host in THESIS.hosts]


def described(*nodes):
    return override(load("thesis"), ["repeats=1", "strategies=[default]", f"nodes=[{', '.join(nodes)}]"])


def refusal(*nodes):
    with pytest.raises(SpecificationError) as caught:
        plan.check(described(*nodes))
    return str(caught.value)


def test_hosts_racks_and_the_rest_have_what_their_entries_say():
    specification = described(
        "{count: 2, cores: 2}", "{hosts: h1, slots: 3}", "{racks: [2], disk_mb_per_s: 20, host_mbps: 100 Mbit/s}"
    )
    plan.check(specification)
    run = resolve(plan.runs_of(specification)[0])
    models, (first, second, *_) = run.node_models, THESIS.racks.values()
    assert models[first[0]].cores == 8 != models[first[1]].cores == 2
    assert {models[host].disk_mb_per_s for host in second} == {20}
    assert sum(node.cores == 2 for node in models.values()) == 2
    assert [node.slots for node in run.cluster.nodes][:2] == [3, 8]
    rates = {host: link.capacity_mbps for host, link in run.topology.host_link.items()}
    assert {rates[host] for host in second} == {100}
    assert {rates[host] for host in HOSTS if host not in second} == {1000}
    assert run.topology.uplinks == THESIS.uplinks


def test_a_colocation_has_room_for_its_workers_where_slots_are_fewest():
    job = resolve(plan.runs_of(described("{racks: 1, slots: 2}"))[0]).jobs[0].job
    strategy = described().strategies[0]
    few = modelled_cluster.colocation(described("{racks: 1, slots: 2}"), strategy, job)
    assert few.size == -(-(job.containers - 1) // 2)
    assert modelled_cluster.colocation(described("{racks: 1, slots: 99}"), strategy, job).size < few.size


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (["{hosts: [h99], cores: 1}"], "nodes.0.hosts: 'h99'"),
        (["{racks: [9], cores: 1}"], "no such rack; there are 1 to 4"),
        (["{hosts: h1, cores: 1}", "{racks: 1, cores: 2}"], "nodes.1: 'h1': this host is in an entry before"),
        (["{count: 9, cores: 1}"], "8 are in no other entry"),
        (["{count: 8, cores: 1}", "{hosts: h1, cores: 2}"], "7 are in no other entry"),
    ],
)
def test_what_the_network_does_not_have_is_refused(nodes, message):
    assert message in refusal(*nodes)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (["{cores: 1}"], "say which nodes by one of hosts, racks and count"),
        (["{count: 1, racks: 1, cores: 1}"], "racks and count: say which nodes"),
        (["{count: 1}"], "says nothing of its nodes"),
        (["{count: 1, cores: 0}"], "nodes.0.cores"),
        (["{count: 1, host_mbps: 0}"], "nodes.0.host_mbps"),
        (["{count: 0, cores: 1}"], "nodes.0.count"),
    ],
)
def test_malformed_entries_are_refused_by_name(nodes, message):
    with pytest.raises(SpecificationError, match=message):
        described(*nodes)


kinds = st.builds(
    lambda which, what: NodesSpec(**which, **what),
    st.one_of(
        st.builds(dict, hosts=st.lists(st.sampled_from(HOSTS), min_size=1, max_size=3, unique=True)),
        st.builds(dict, racks=st.lists(st.integers(1, 4), min_size=1, max_size=2, unique=True)),
        st.builds(dict, count=st.integers(1, 8)),
    ),
    st.builds(dict, cores=st.integers(1, 64), slots=st.none() | st.integers(1, 64)),
)


@given(st.lists(kinds, max_size=4))
def test_every_host_has_something_and_as_many_differ_as_entries_say(entries):
    if list(problems(entries, THESIS)):
        return
    base = NodeSpec(cores=1000)
    found = of_hosts(base, entries, THESIS)
    assert list(found) == HOSTS
    named = sum(
        (kind.count or 0) + len(kind.hosts or ()) + sum(len(THESIS.racks[rack]) for rack in kind.racks or ())
        for kind in entries
    )
    assert sum(node != base for node in found.values()) == named
