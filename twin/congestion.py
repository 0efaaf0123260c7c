"""What full links do to messages besides sharing their rate: they wait in queues, and some are lost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twin.compiling import Floats, Ints, compiled
from twin.maxmin import Links
from twin.state import DRAWN, LOSS, RTO_S, SHORT, WINDOW, State


class Congestion(NamedTuple):
    """What full links do to small messages besides sharing their rate.

    Attributes:
        queue: Bytes that wait for each link while it is full, shape (links,).
        opposite: Each link in the other direction, shape (links,).
        draws: Random numbers from 0 to 1, used one after the other and again.
        loss: Probability that the last packets of a message are lost at a full link.
        rto_s: Least retransmission time-out.
        window: Bytes that may be on the way before the first acknowledgement has come.
        short: What has fewer bytes waits in no queue, as do the packets that ask for something or make a connection.
    """

    queue: Floats
    opposite: Ints
    draws: Floats
    loss: float = 0.0
    rto_s: float = 0.0
    window: float = np.inf
    short: float = 0.0


@compiled
def _queued(link: int, links: Links) -> float:
    """Seconds in the queue of a link; none unless it is full."""
    if links.load[link] > 0 and links.load[link] >= links.capacity[link] * (1 - 1e-6):
        return float(links.queue[link] / links.capacity[link])
    return 0.0


@compiled
def _resent(arrives: float, timer_s: float, state: State) -> float:
    """How long it takes to send something again that arrives with a probability: the timer doubles with every loss."""
    wait = 0.0
    if arrives < 1.0:
        drawn = state.draws[state.counts[DRAWN] % len(state.draws)]
        state.counts[DRAWN] += 1
        lost = 1 - arrives
        while drawn < lost:
            wait += timer_s
            timer_s *= 2
            lost *= 1 - arrives
    return wait


@compiled
def _slow_start(size: float, rate: float, round_trip_s: float, window: float) -> float:
    """How long a sender stands still in slow start (RFC 5681): its window doubles with every round trip.

    Args:
        size: Bytes to send.
        rate: What the path has for it, bytes a second.
        round_trip_s: Until the first acknowledgement comes.
        window: Bytes that may be on the way before.
    """
    wait = sent = 0.0
    while sent + window < size and window < rate * round_trip_s:
        wait += round_trip_s - window / rate
        sent += window
        window *= 2
    return wait


@compiled
def delay(flow: int, connects: bool, asked: bool, state: State) -> float:
    """How long what sets off takes to arrive, besides the time that its bytes take.

    It waits in the queue of every full link, as do the packets that make a connection before, and that ask for it. Its
    last packets may be lost there, and as nothing comes behind them, they are sent again only when the retransmission
    timer (RFC 6298) has run out. The others are short, and find room where a queue has none for more; where short ones
    go first, they do not wait, nor does a message that is one. What is more than the initial window takes further round
    trips over a new connection; one that is used again has kept its window.
    """
    links, size = state.links, state.flows.remaining[flow]
    short_first = state.tcp[SHORT] > 0
    there = back = 0.0
    arrives, rate = 1.0, np.inf
    round_trip = longest = 0.0  # of one connection: a disk lies between two
    for hop in range(state.paths.shape[1]):
        link = state.paths[flow, hop]
        if link < 0:
            break
        queued = 0.0 if size < state.tcp[SHORT] else _queued(link, links)
        there += queued
        arrives *= 1 - state.tcp[LOSS] if queued > 0 else 1.0
        returned = 0.0 if short_first else _queued(links.opposite[link], links)
        back += returned
        round_trip = 0.0 if links.opposite[link] == link else round_trip + queued + returned
        longest = max(longest, round_trip)
        rate = min(rate, links.capacity[link] / (links.flows[link] + 1))
    wait = there + _resent(arrives, state.tcp[RTO_S] + there + back, state)
    if asked:
        wait += back
    if connects:
        wait += 0.0 if short_first else there + back
        wait += _slow_start(size, rate, longest, state.tcp[WINDOW])
    return wait
