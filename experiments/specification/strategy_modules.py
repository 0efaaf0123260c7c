"""Strategies of one's own: found beside the specification, on the caller's PYTHONPATH, or in the environment.

They are code that runs with all rights of the testbed. What others could have written is not imported, nor anything
from the working directory as such.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from experiments.documents.caller import others_access
from experiments.specification.model import Specification, StrategySpec
from placement import PlacementError, Strategy, load_strategy

PYTHONPATH = "PLACEMENT_TESTBED_PYTHONPATH"
"""In which run_testbed.py hands on the caller's PYTHONPATH, which would go before the environment's packages."""

_places: list[str] = []
"""Folders that were added to `sys.path`."""
_packages: set[str] = set()
"""Folders of packages that were found in them."""


def load(specification: Specification, strategy: StrategySpec) -> Strategy:
    """Make a strategy of a specification.

    Raises:
        PlacementError: see `placement.load_strategy`; or somebody else could write its module.
    """
    if ":" not in strategy.name:
        return load_strategy(strategy.name, **strategy.options)
    places = _search(specification)
    try:
        return load_strategy(strategy.name, **strategy.options)
    except PlacementError as error:
        if not isinstance(error.__cause__, ModuleNotFoundError):
            raise
        looked = " or ".join([*(f"in {place}" for place in places), "in the environment"])
        raise PlacementError(f"{error}, {looked}; put it beside the specification") from error


def file_of(specification: Specification, strategy: StrategySpec) -> Path | None:
    """The file that defines a strategy given as `module:Class`; None of one that has a name, and without a file."""
    module, colon, _ = strategy.name.partition(":")
    if not colon:
        return None
    _search(specification)
    found = importlib.util.find_spec(module)
    path = Path(found.origin) if found is not None and found.origin is not None else None
    return path if path is not None and path.is_file() else None


class _SourceLoader(SourceFileLoader):
    """Reads sources alone: compiled ones beside them may be somebody else's, and none are left there."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _Finder(FileFinder):
    """Finds modules in a folder, and refuses those that somebody else could write."""

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        found = super().find_spec(fullname, target)
        if found is not None:
            if found.origin is not None and (reason := others_access(Path(found.origin))):
                raise PlacementError(f"module {fullname!r} is not imported, for it is code that runs as you: {reason}")
            _packages.update(found.submodule_search_locations or ())
        return found


def _finder(path: str) -> _Finder:
    """A path hook (`sys.path_hooks`) for the folders of strategies and no others."""
    if path not in _places and path not in _packages:
        raise ImportError(f"{path}: not a folder of strategies")
    return _Finder(path, (_SourceLoader, SOURCE_SUFFIXES))


def _search(specification: Specification) -> Sequence[str]:
    """Look for modules beside a specification, behind the environment; no longer beside another one.

    Returns:
        The folders.
    """
    folders = [specification.folder or "", *os.environ.get(PYTHONPATH, "").split(os.pathsep)]
    wanted = [folder for folder in dict.fromkeys(folders) if folder and (folder in _places or folder not in sys.path)]
    if wanted != _places:
        for name, module in list(sys.modules.items()):
            if _is_of_strategies(module):
                del sys.modules[name]
        sys.path[:] = [entry for entry in sys.path if entry not in _places]
        for folder in {*_places, *_packages, *wanted}:
            sys.path_importer_cache.pop(folder, None)
        _packages.clear()
        _places[:] = wanted
        sys.path += wanted
        if _finder not in sys.path_hooks:
            sys.path_hooks.insert(0, _finder)
    importlib.invalidate_caches()
    return wanted


def _is_of_strategies(module: ModuleType) -> bool:
    spec = getattr(module, "__spec__", None)
    if spec is None:
        return False
    return isinstance(spec.loader, _SourceLoader) or not _packages.isdisjoint(spec.submodule_search_locations or ())
