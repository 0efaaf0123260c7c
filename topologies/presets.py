"""The networks that a specification can name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from topologies.clos import k_ary_fat_tree, leaf_spine
from topologies.fat_tree import fat_tree, single_switch, thesis
from topologies.topology import Topology

PRESETS: Mapping[str, Callable[..., Topology]] = {
    "thesis": thesis,
    "fat-tree": fat_tree,
    "k-ary-fat-tree": k_ary_fat_tree,
    "leaf-spine": leaf_spine,
    "single-switch": single_switch,
}
