"""Coroutines that end together."""

import asyncio

import pytest

from experiments.runs.tasks import first_failure_or_all, running


def test_those_beside_end_with_those_that_are_wanted_and_their_failure_is_raised_at_once():
    ended = []

    async def work(name, seconds, error=None):
        try:
            await asyncio.sleep(seconds)
            if error is not None:
                raise error
        finally:
            ended.append(name)

    async def main(*beside):
        async with running([work("a", 0.01), work("b", 0)]) as wanted, running(beside) as others:
            assert await first_failure_or_all([*wanted, *others], wanted)

    asyncio.run(main(work("watcher", 60), work("quick", 0)))
    assert sorted(ended) == ["a", "b", "quick", "watcher"]
    ended.clear()
    with pytest.raises(KeyError):
        asyncio.run(main(work("fails", 0, KeyError("x"))))
    assert sorted(ended) == ["a", "b", "fails"]


def test_nobody_is_waited_for_any_longer_than_said():
    async def main():
        async with running([asyncio.sleep(60), asyncio.sleep(0)]) as wanted:
            assert not await first_failure_or_all(wanted, wanted, at_most_s=0.05)
            assert [task.done() for task in wanted] == [False, True]

    asyncio.run(main())
