"""Jobs on simulated agents, when links and hosts fail and when they end before their time."""

import asyncio
import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests.unit.workloads.loopback import (
    FAST,
    NameNode,
    assert_conserved,
    blocks_of,
    moved,
    moved_by,
    run,
    shuffle_job,
)
from topologies.fat_tree import fat_tree, single_switch
from twin import event_loop
from twin.clock import Clock, Signal, StandstillError
from twin.pool import GOODPUT, SimulatedPool
from twin.state import GROUPS, INBOXES
from workloads.coordination.cluster import AgentError
from workloads.job import Exchange, Job, Read, Stage
from workloads.node_model import NodeModel
from workloads.scale import Scale

MB = 10**6
RACKS = fat_tree(racks=2, hosts_per_rack=2, core_switches=1, uplink_ports_per_rack=2, uplink_mbps=100.0)
LINK = GOODPUT * 100e6 / 8  # bytes a second of an up-link


def pool(topology=RACKS, node=FAST, seed=7):
    nodes = node if isinstance(node, dict) else {host.name: node for host in topology.hosts}
    return SimulatedPool(Clock(), topology, nodes, Scale(), seed)


def at(agents, time_s, act, *arguments):
    """Do something at a time, as the failures of an experiment do."""

    async def wait():
        await asyncio.sleep(time_s - agents.clock())
        act(*arguments)

    return asyncio.ensure_future(wait())


def finish(agents, coroutine):
    """What a coroutine returns, after which nothing of any job may be left."""

    async def main():
        result = await coroutine
        await asyncio.sleep(1)  # for CPU service that has been given up
        return result

    result = event_loop.run(agents.fluid._clock, main())
    fluid = agents.fluid
    assert not any([int(fluid._state.counts[:2].sum()), fluid._ended, fluid._relieved, fluid._complete, fluid._filled])
    assert len(fluid._free_groups) == fluid._state.counts[GROUPS]
    assert len(fluid._free_inboxes) == fluid._state.counts[INBOXES]
    assert sum(size * len(free) for size, free in fluid._free_flows.items()) == fluid._flow_count
    for agent in agents._agents.values():
        assert not any([agent._around.boxes, agent._tasks, *agent._running.values(), agent.serving, agent.cpu._server])
    return result


def scan(size, cpu_s=0.0, **stage):
    return Job("j", "test", (Stage("scan", (Read("j/in", size, cpu_s),), **stage),), containers=2)


# -- links -------------------------------------------------------------------------------------------------------


def test_connections_leave_a_link_that_fails_and_spread_again_when_it_is_back():
    ends = []
    for seed in range(12):
        agents = pool(seed=seed)
        clock, fluid, routes = agents.fluid._clock, agents.fluid, agents.routes
        pairs, ways = (("h1", "h3"), ("h2", "h4")), [[0], [0]]
        while set(ways[0]) & set(ways[1]):
            ways = [routes.ways(source, [to])[0].tolist()[:4] for source, to in pairs]
        done = [clock.start(fluid.send(np.array([way]), 10 * LINK, Signal())) for way in ways]
        first = RACKS.link_by_id[routes.directed[ways[0][1]][0]].id
        clock.at(2, lambda agents=agents, first=first: agents.set_link(first, up=False))
        clock.at(6, lambda agents=agents, first=first: agents.set_link(first, up=True))
        clock.run(lambda clock=clock: clock.now > 5)
        down = [number for number, (link, _) in enumerate(routes.directed) if link == first]
        carried = fluid.links.carried[down].sum()
        assert carried == pytest.approx(2 * LINK, abs=0.1 * LINK)
        clock.run(lambda clock=clock: clock.now > 6)
        crossed = [set(fluid._state.paths[flow].tolist()) - {-1} for flow in (0, 1)]
        clock.run(lambda done=done: all(one.done for one in done))
        # 2 s at the full rate, 4 s at half of it; six of ten seconds' bytes are left
        ends.append(12 if not crossed[0] & crossed[1] else 18)
        assert clock.now == pytest.approx(ends[-1], abs=0.1)
    assert set(ends) == {12, 18}


def test_a_connection_without_a_way_waits_for_one():
    agents = pool()
    clock, fluid, routes = agents.fluid._clock, agents.fluid, agents.routes
    ends: dict[str, float] = {}

    def read(name, source, to):
        ended = clock.start(fluid.send(routes.ways(source, [to]), 4 * LINK, Signal()))
        ended.then(lambda _: ends.update({name: clock.now}))

    read("begun", "h1", "h3")
    clock.at(2, lambda: [agents.set_link(link, up=False) for link in ("t1-c1/1", "t1-c1/2")])
    clock.at(3, lambda: read("late", "h4", "h2"))
    clock.at(3, lambda: read("near", "h3", "h4"))
    clock.at(10, lambda: agents.set_link("t1-c1/2", up=True))
    with pytest.raises(StandstillError):
        clock.run(lambda: len(ends) == 4)
    near_s = 4 * LINK / (GOODPUT * 1e9 / 8)
    assert ends == pytest.approx({"begun": 12, "late": 14, "near": 3 + near_s}, abs=0.1)
    assert not fluid.links.carried[routes.nowhere]


def test_a_link_of_a_host_stops_what_crosses_it():
    agents = pool(single_switch(3, host_mbps=100.0))
    clock, routes = agents.fluid._clock, agents.routes
    done = clock.start(agents.fluid.send(routes.ways("h1", ["h2"]), 4 * LINK, Signal()))
    link = agents.routes.directed[routes.ends("h1", "h2")[0]][0]
    clock.at(1, lambda: agents.set_link(link, up=False))
    clock.at(5, lambda: agents.set_link(link, up=True))
    clock.run(lambda: done.done)
    assert clock.now == pytest.approx(8, abs=0.1)


def test_a_job_over_links_that_fail_and_return_loses_no_byte():
    block_map, sizes = blocks_of("j/in", [2 * MB] * 40, [("h1", "h2")])
    job = shuffle_job(80 * MB, 60 * MB, cpu_s=2.0)
    events: list[Any] = []

    async def main(agents, fail):
        await agents.store(block_map, sizes)
        if fail:
            for time_s in (0.5, 1.0, 1.5):
                at(agents, time_s, agents.set_link, "t1-c1/1", False)
                at(agents, time_s + 0.25, agents.set_link, "t1-c1/1", True)
                at(agents, time_s + 0.05, agents.set_link, "t1-c1/2", False)
                at(agents, time_s + 0.3, agents.set_link, "t1-c1/2", True)
        return await run(agents, job, block_map, events if fail else None)

    seconds = {False: 0.0, True: 0.0}
    for seed, fail in itertools.product(range(8), seconds):  # ways are drawn anew, now and then better ones
        events.clear()
        result = finish(agents := pool(seed=seed), main(agents, fail))
        seconds[fail] += result.finished_s
        if fail:
            assert_conserved(result)
            assert moved(events) == moved_by(result)
    assert seconds[True] > seconds[False] > 8 * 1.5


def test_connections_that_are_used_again_leave_a_link_that_failed_meanwhile():
    block_map, sizes = blocks_of("j/in", [2 * MB] * 20, [("h1", "h3")])
    scanning, exchanges = Stage("s0", (Read("j/in", 40 * MB),)), range(1, 6)
    after = (Stage(f"s{k}", (Exchange(f"s{k - 1}", 20 * MB, pipelined=False),)) for k in exchanges)
    job = Job("j", "test", (scanning, *after), containers=5, slots_per_container=2)
    agents = pool()

    async def main():
        await agents.store(block_map, sizes)
        at(agents, 0.75, agents.set_link, "t1-c1/1", False)
        return await run(agents, job, block_map, placement=("h1", "h1", "h2", "h3", "h4"), deadline_s=100.0)

    result = finish(agents, main())
    assert_conserved(result)
    assert result.stages[3].finished_s > 0.75


def test_a_job_that_stands_still_fails_at_its_deadline():
    block_map, sizes = blocks_of("j/in", [2 * MB] * 40, [("h1",)])
    agents = pool()

    async def main():
        await agents.store(block_map, sizes)
        agents.set_link("t1-c1/1", up=False)
        agents.set_link("t1-c1/2", up=False)
        job = shuffle_job(80 * MB, 60 * MB)
        return await run(agents, job, block_map, deadline_s=500.0)

    result = finish(agents, main())
    assert result.failed == "not finished after 500 s; unfinished stages: scan, sink"
    assert result.finished_s == pytest.approx(500)


def test_nodes_that_differ_take_their_own_time():
    nodes = {"h1": NodeModel(disk_mb_per_s=10), "h2": NodeModel(disk_mb_per_s=20), "h3": FAST, "h4": FAST}
    for host, expected_s in (("h1", 10), ("h2", 5)):
        block_map, sizes = blocks_of("j/in", [100 * MB], [(host,)])
        agents = pool(node=nodes)

        async def main(agents=agents, block_map=block_map, sizes=sizes, host=host):
            await agents.store(block_map, sizes)
            return await run(agents, scan(100 * MB), block_map, placement=("h3", host))

        result = finish(agents, main())
        assert result.finished_s - result.started_s == pytest.approx(expected_s, rel=0.02)


# -- hosts -------------------------------------------------------------------------------------------------------


def test_a_read_from_a_host_that_dies_goes_to_another_replica():
    block_map, sizes = blocks_of("j/in", [100 * MB], [("h2", "h3")])
    agents = pool(node=NodeModel(disk_mb_per_s=10))
    events: list[Any] = []

    async def main():
        await agents.store(block_map, sizes)
        at(agents, 4, agents.kill, "h2")
        return await run(agents, scan(100 * MB), block_map, events, placement=("h1", "h1"))

    assert_conserved(finish(agents, main()))
    read = {event.kind: event for event in events if "read" in event.kind}
    failed, other = read["read_failed"], read["read"]
    assert (failed.time_s, failed.host, failed.peer, failed.ok) == (4, "h1", "h2", False)
    assert failed.detail == "receiving from h2: closed before the end"
    assert (other.start_s, other.peer) == (4, "h3")
    assert other.time_s == pytest.approx(4 + 10, abs=0.1)


def test_a_block_of_which_no_replica_is_left_fails_the_job():
    block_map, sizes = blocks_of("j/in", [100 * MB] * 2, [("h2", "h3")])
    agents = pool()

    async def main():
        await agents.store(block_map, sizes)
        agents.kill("h2")
        at(agents, 0.1, agents.kill, "h3")
        in_use = await run(agents, scan(200 * MB), block_map, placement=("h1", "h1"))
        before = await run(agents, scan(200 * MB), block_map, placement=("h1", "h1"))
        return in_use, before

    in_use, before = finish(agents, main())
    assert in_use.failed == before.failed == "block 0 of j/in: no replica left"
    assert in_use.finished_s == before.finished_s == 0.1


def test_a_host_that_dies_fails_its_jobs_at_once_and_the_next_attempt_avoids_it():
    block_map, sizes = blocks_of("j/in", [MB] * 60, [("h1", "h2"), ("h2", "h3"), ("h3", "h1")])
    agents = pool()
    events: list[Any] = []
    job = shuffle_job(60 * MB, 6 * MB, cpu_s=20.0)

    async def main():
        await agents.store(block_map, sizes)
        at(agents, 2.0, agents.kill, "h2")
        first = await run(agents, job, block_map, events)
        again = await run(agents, job, block_map, events)
        second = await run(agents, job, block_map, events, placement=("h1", "h1", "h3", "h3"))
        return first, again, second

    first, again, second = finish(agents, main())
    assert (first.failed, first.finished_s, first.dead_hosts) == ("agent of h2 died: process ended", 2.0, ("h2",))
    assert again.failed == "agent of h2 died: before the job started"
    assert sum(moved_by(first).values()) > 0
    assert moved(events) == moved_by(first, second)
    assert_conserved(second)
    assert second.attempt == 3
    assert all("h2" not in pair for pair in second.read_bytes)


def test_a_result_of_which_a_replica_is_lost_fails_the_attempt_when_no_death_explains_it():
    block_map, sizes = blocks_of("j/in", [10 * MB], [("h1",)])
    agents = pool(single_switch(2), node=NodeModel(disk_mb_per_s=10))
    job = scan(10 * MB, write_bytes=50 * MB, write_replication=2)

    async def main():
        await agents.store(block_map, sizes)
        at(agents, 3.0, agents.kill, "h2")
        return await run(agents, job, block_map, placement=("h1", "h1"), name_node=NameNode(2), deadline_s=1000.0)

    result = finish(agents, main())
    assert result.failed == "stage scan, task 0: receiving from h2: closed before the end"
    assert result.finished_s == pytest.approx(3.3)


def test_a_result_that_does_not_stay_on_its_writer_takes_no_time_of_its_disk():
    block_map, sizes = blocks_of("j/in", [1000], [("h1",)])
    took = {}
    for on_writer in (True, False):
        agents = pool(single_switch(2), node={"h1": NodeModel(disk_mb_per_s=1), "h2": FAST})

        async def main(agents=agents, on_writer=on_writer):
            await agents.store(block_map, sizes)
            job = scan(1000, write_bytes=10 * MB, write_replication=1)
            names = NameNode(2, on_writer=on_writer)
            return await run(agents, job, block_map, placement=("h1", "h1"), name_node=names)

        result = finish(agents, main())
        assert_conserved(result)
        assert result.written_bytes == {("h1", "h1" if on_writer else "h2"): 10 * MB}
        took[on_writer] = result.finished_s - result.started_s
    assert took[True] == pytest.approx(10, rel=0.01)
    assert took[False] < 1


def test_storing_fails_with_the_host_that_dies():
    block_map, sizes = blocks_of("f", [50 * MB] * 4, [("h1", "h2"), ("h3", "h4")])

    def dying(host, first_s):
        async def main():
            at(agents, first_s, agents.kill, host)
            with pytest.raises(AgentError) as caught:
                await agents.store(block_map, sizes, over_network=True)
            await asyncio.sleep(100)
            return str(caught.value)

        agents = pool(node=NodeModel(disk_mb_per_s=10))
        return finish(agents, main())

    assert dying("h3", 1) == "agent of h3: process ended while blocks were stored"
    assert dying("h4", 1) == "storing blocks from h3: receiving from h4: closed before the end"
    assert dying("h4", 0) == "storing blocks from h3: connecting to h4: Connection refused"


# -- ends --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deadline_s", [0.3, 1.0, 2.5, 6.0, 10.0])
def test_a_job_that_does_not_end_in_time_takes_nothing_from_those_after_it(deadline_s):
    def stages():
        scanning = Stage("scan", (Read("j/in", 60 * MB, 20.0),))
        joined = Stage("join", (Exchange("scan", 40 * MB, 20.0),))
        inputs = Exchange("join", 40 * MB, pipelined=False), Exchange("scan", 9 * MB, kind="broadcast")
        held = Stage("sink", inputs, write_bytes=60 * MB, write_replication=3)
        return Job("j", "test", (scanning, joined, held), containers=4)

    block_map, sizes = blocks_of("j/in", [3 * MB] * 20, [("h1", "h4"), ("h2", "h3")])
    took: list[float] = []
    for before in (False, True):
        agents = pool(node=NodeModel(cores=1, disk_mb_per_s=20))

        async def main(agents=agents, before=before):
            await agents.store(block_map, sizes)
            if before:
                late = await run(agents, stages(), block_map, name_node=NameNode(4), deadline_s=deadline_s)
                assert late.failed.startswith("not finished after")
            begun_s = agents.clock()
            result = await run(agents, stages(), block_map, name_node=NameNode(4), deadline_s=1000.0)
            assert_conserved(result)
            return result.finished_s - begun_s

        took.append(finish(agents, main()))
    assert took[0] > 10.0
    assert took[1] == pytest.approx(took[0], rel=0.1)  # splits and ways are other ones


def test_a_failed_job_goes_on_nowhere_beside_one_that_does_not_fail():
    files = {name: blocks_of(f"{name}/in", [2 * MB] * 20, [("h1",), ("h3",)]) for name in "ab"}
    agents = pool(node=NodeModel(cores=1, disk_mb_per_s=20))
    jobs = {name: shuffle_job(40 * MB, 20 * MB, name, cpu_s=20.0) for name in files}

    async def main():
        for stored in files.values():
            await agents.store(*stored)
        placements = {"a": ("h1", "h1", "h3", "h2"), "b": ("h1", "h1", "h3", "h3")}
        running = [
            asyncio.ensure_future(run(agents, jobs[name], files[name][0], placement=placements[name], deadline_s=100.0))
            for name in files
        ]
        at(agents, 3.0, agents.kill, "h2")
        return await asyncio.gather(*running)

    failed, other = finish(agents, main())
    assert failed.finished_s == 3.0
    assert_conserved(other)
    assert Counter(other.placement) == {"h1": 2, "h3": 2}
    # 20 CPU seconds by three tasks on two cores of one each; a third of h1's and half of h3's are a's up to 3 s
    assert 10 < other.finished_s < 15
