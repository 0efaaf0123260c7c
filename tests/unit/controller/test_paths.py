"""Asking the switches which way a flow goes costs them little, however many ask."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from controller.paths import FlowTuple, PathFinder
from topologies.fat_tree import thesis

FLOW = FlowTuple("h1", "h3", "tcp", 40000, 9000)
ASK_S = 0.002


class Switches:
    """Answers that no flow passes, and notes when it was asked."""

    def __init__(self):
        self.asked = []
        self._busy = threading.Lock()

    def ask(self, *_):
        assert self._busy.acquire(blocking=False), "asked while it was answering"
        self.asked.append(time.monotonic())
        time.sleep(ASK_S)
        self._busy.release()
        return "drop"


def test_who_asks_alone_waits_for_nothing():
    switches = Switches()
    finder = PathFinder(thesis(), switches.ask)
    for _ in range(20):
        assert finder.selected(FLOW) == (None, "t1 drops it")
    gaps = [after - before for before, after in itertools.pairwise(switches.asked)]
    assert min(gaps) < 3 * ASK_S


def test_of_many_one_asks_at_a_time_and_the_switches_rest_in_between():
    switches = Switches()
    finder = PathFinder(thesis(), switches.ask)
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: finder.selected(FLOW), range(40)))
    assert answers == [(None, "t1 drops it")] * 40
    busy = [after - before for before, after in itertools.pairwise(switches.asked)]
    assert sum(gap >= 4 * ASK_S for gap in busy) >= 30
