"""What was published of clients' operations on files, to be put beside what is measured; nothing of it enters a run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from experiments.documents.quantities import Bytes
from experiments.specification.parts import Part

Figure = Annotated[float, Field(allow_inf_nan=False)]


class PublishedFigureSpec(Part):
    """A figure: its median, or the only value, and its range where there is one."""

    operation: Literal["create", "change", "read"]
    bytes: Bytes | None = Field(default=None, description="Size of the files; of all sizes when left out")
    of: Literal["available_s", "hashed_s", "confirmed_s", "proven_s", "proven_share", "gas"]
    median: Figure
    low: Figure | None = None
    high: Figure | None = None
    impossible: str = Field(default="", description="Why it cannot be")


class PublishedSpec(Part):
    """Figures and their source."""

    source: str = Field(description="Where they were published")
    figures: tuple[PublishedFigureSpec, ...] = ()
