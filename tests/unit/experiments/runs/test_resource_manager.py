"""Jobs that do not fit wait for their turn."""

import asyncio
from types import SimpleNamespace

import pytest

from experiments.runs import resource_manager
from experiments.runs.resource_manager import ResourceManager
from experiments.specification.plan import runs_of
from experiments.specification.resolved_run import resolve
from placement import PlacementError
from tests.unit.experiments.synthetic import specification


def managed(*containers):
    """A manager of 8 nodes with 8 slots each, and requests of jobs with so many containers, whose data is stored."""
    listed = ", ".join(f"{{profile: kmeans, containers: {count}}}" for count in containers)
    wanted = specification(f"workload=[{listed}]", "strategies=[default]")
    run = resolve(runs_of(wanted)[0])
    manager = ResourceManager(run, lambda: 0.0)
    manager.load()
    return manager, [planned.request for planned in run.jobs]


def test_jobs_wait_for_room_and_nobody_overtakes():
    async def main():
        manager, jobs = managed(40, 40, 4, 20)
        started = []

        async def start(job):
            await manager.start(job)
            started.append(job.containers)

        waiting = [asyncio.ensure_future(start(job)) for job in jobs]
        seen = []
        for job, expected in zip(jobs, (1, 4, 4, 4), strict=True):
            while len(started) < expected:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)  # for others to overtake
            seen.append(tuple(started))
            assert sum(held.request.containers for held in manager.state.view().running.values()) <= 64
            manager.finish(job.job_id, ())
        await asyncio.gather(*waiting)
        return seen

    # The third would fit beside the first, but it came after the second.
    assert asyncio.run(main()) == [(40,), (40, 40, 4, 20), (40, 40, 4, 20), (40, 40, 4, 20)]


def test_a_job_that_can_never_fit_on_what_is_left_alive_is_refused_rather_than_waiting():
    async def main():
        manager, (first, second) = managed(40, 60)
        await manager.start(first)
        waiting = asyncio.ensure_future(manager.start(second))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        manager.finish(first.job_id, {"h3"})
        await waiting

    with pytest.raises(PlacementError, match="60 containers do not fit on the live nodes"):
        asyncio.run(main())


def test_jobs_go_on_while_the_strategy_decides_and_it_decides_again_for_a_cluster_that_lost_a_host(monkeypatch):
    async def main():
        manager, (first, second) = managed(4, 20)
        await manager.start(first)
        asked: list[list[str]] = []
        strategy, loop = manager._placer.strategy, asyncio.get_running_loop()
        place = strategy.place_containers

        def slowly(_, view, request, rng):
            if not asked:
                asyncio.run_coroutine_threadsafe(lose(), loop).result(5)
            asked.append(sorted(view.dead))
            return place(view, request, rng)

        async def lose():
            manager.finish(first.job_id, {"h3"})

        monkeypatch.setattr(type(strategy), "place_containers", slowly)
        decision = await manager.start(second)
        return asked, decision.placement

    asked, placement = asyncio.run(main())
    assert asked == [[], ["h3"]]
    assert "h3" not in placement


def test_utilisation_is_that_of_the_moment_when_there_is_room():
    async def main():
        manager, (first, second) = managed(60, 60)
        asked = []
        await manager.start(first)
        waiting = asyncio.ensure_future(manager.start(second, lambda: asked.append("now")))
        await asyncio.sleep(0.1)
        assert not asked
        manager.finish(first.job_id, ())
        await waiting
        assert asked == ["now"]

    asyncio.run(main())


def test_warming_up_decides_on_data_that_is_there(monkeypatch):
    run = next(one for one in map(resolve, runs_of(specification())) if one.strategy.label == "neawa")
    manager, request = ResourceManager(run, lambda: 0.0), run.jobs[0].request
    with pytest.raises(PlacementError, match="not stored"):
        manager.warm_up(request)
    manager.load()
    strategy, decided = resource_manager._strategy(run), []
    place = strategy.place_containers
    spy = SimpleNamespace(place_containers=lambda *asked: decided.append(place(*asked)))
    monkeypatch.setattr(resource_manager, "_strategy", lambda _: spy)
    manager.warm_up(request)
    assert [len(placement) for placement in decided] == [request.containers]
