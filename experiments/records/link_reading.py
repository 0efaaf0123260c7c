"""What links had carried at some time: a document like the controller's `/v1/links`, in columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)  # equal are those that say the same, as mappings are
class LinkReading(Mapping[str, Any]):
    """A document whose rows are made when they are asked for.

    Attributes:
        links: Id and direction of each.
        capacity_mbps: Of each, on the wire.
        time_s: Of the reading, since the epoch.
        age_s: Of the counters.
        tx_bytes: That each has carried.
        utilisation: Of each since the reading before, from 0 to 1.
    """

    links: Sequence[tuple[str, str]]
    capacity_mbps: npt.NDArray[np.float64]
    time_s: float
    age_s: float
    tx_bytes: npt.NDArray[np.int64]
    utilisation: npt.NDArray[np.float64]

    def columns(self) -> dict[str, Sequence[Any]]:
        """Those of its rows by their names."""
        rows = len(self.links)
        return {
            "id": [link for link, _ in self.links],
            "direction": [direction for _, direction in self.links],
            "time_s": [self.time_s] * rows,
            "age_s": [self.age_s] * rows,
            "tx_bytes": self.tx_bytes.tolist(),
            "capacity_mbps": self.capacity_mbps.tolist(),
            "utilisation": self.utilisation.tolist(),
            "drops": [0] * rows,
        }

    def __getitem__(self, name: str) -> list[dict[str, Any]]:
        if name != "links":
            raise KeyError(name)
        columns = self.columns()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def __iter__(self) -> Iterator[str]:
        return iter(("links",))

    def __len__(self) -> int:
        return 1
