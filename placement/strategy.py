"""What a placement strategy is, and how one is found by name."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

import numpy as np

from placement.blocks import BlockMap, File
from placement.colocation import Decision
from placement.errors import PlacementError
from placement.request import ContainerRequest, Placement
from placement.view import ClusterView

ENTRY_POINT_GROUP = "placement.strategies"

BUILT_IN = {
    "default": "placement.strategies.baselines:Default",
    "random": "placement.strategies.baselines:Random",
    "round-robin": "placement.strategies.baselines:RoundRobin",
    "packed": "placement.strategies.baselines:Packed",
    "neawa": "placement.strategies.neawa:NeAwa",
    "neawa-utilisation": "placement.strategies.neawa:NeAwaUtilisation",
    "coloc": "placement.strategies.coloc:CoLoc",
}


@runtime_checkable
class Strategy(Protocol):
    """Decides where blocks and containers go, from a view alone; the same view and generator give the same decision."""

    @property
    def name(self) -> str:
        """What it is called on screen."""
        ...

    def place_blocks(self, view: ClusterView, file: File, rng: np.random.Generator) -> BlockMap:
        """Nodes for the replicas of every block of a new file.

        Raises:
            PlacementError: they do not fit.
        """
        ...

    def place_containers(self, view: ClusterView, request: ContainerRequest, rng: np.random.Generator) -> Placement:
        """Nodes for the containers of a job.

        Raises:
            PlacementError: they do not fit, or an input is not stored.
        """
        ...


@runtime_checkable
class Hooks(Protocol):
    """What a strategy may do besides: each hook returns decisions for the state to apply."""

    def before_file(self, view: ClusterView, file: File, rng: np.random.Generator) -> Sequence[Decision]:
        """Before the blocks of a file are placed."""
        ...

    def after_file(self, view: ClusterView, file: File) -> Sequence[Decision]:
        """When a file is stored."""
        ...

    def before_job(self, view: ClusterView, request: ContainerRequest, rng: np.random.Generator) -> Sequence[Decision]:
        """Before the containers of a job are placed."""
        ...

    def after_job(self, view: ClusterView, request: ContainerRequest) -> Sequence[Decision]:
        """When a job has finished."""
        ...


def load_strategy(name: str, /, **options: Any) -> Strategy:
    """Make a strategy.

    Args:
        name: a built-in name, the name of an entry point in the group `placement.strategies`, or `module:Class`.
        options: arguments of its class.

    Raises:
        PlacementError: there is no such strategy, its class does not take the options or fails with them, or it is not
            a strategy.
    """
    found = _find(name)
    needs = PlacementError(f"strategy {name!r}: needs `name`, `place_blocks` and `place_containers`; see Strategy")
    decisions = (getattr(found, method, None) for method in ("place_blocks", "place_containers"))
    if not isinstance(found, type) or not all(map(callable, decisions)):
        raise needs  # before it is called: a name in a specification may lead to any function of any library
    try:
        strategy = found(**options)
    except PlacementError:
        raise
    except Exception as error:  # a class of the user's may fail with anything
        reason = str(error) if isinstance(error, TypeError) else f"{type(error).__name__}: {error}"
        raise PlacementError(f"strategy {name!r}: options {sorted(options)}: {reason}") from error
    if not isinstance(strategy, Strategy):
        raise needs
    return strategy


def strategy_names() -> tuple[str, ...]:
    """Names that `load_strategy` knows: the built-in ones and the installed entry points."""
    return (*BUILT_IN, *sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)} - set(BUILT_IN)))


def _find(name: str) -> object:
    module, colon, attribute = BUILT_IN.get(name, name).partition(":")
    point = None if colon else next(iter(entry_points(group=ENTRY_POINT_GROUP, name=name)), None)
    if not colon and point is None:
        raise PlacementError(f"strategy {name!r}: choose one of {', '.join(strategy_names())}, or give module:Class")
    try:
        found: object = point.load() if point else getattr(importlib.import_module(module), attribute)
    except PlacementError as error:  # whoever looked for the module refuses it
        raise PlacementError(f"strategy {name!r}: {error}") from error
    except (Exception, SystemExit) as error:  # a module of the user's may fail with anything
        reason = f"{type(error).__name__}: {error}"
        raise PlacementError(f"strategy {name!r}: {reason}; give an importable module:Class") from error
    return found
