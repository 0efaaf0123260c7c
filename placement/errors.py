"""What cannot be placed."""

from __future__ import annotations


class PlacementError(ValueError):
    """An input or a decision that cannot be; the message names the field, the value and the remedy."""
