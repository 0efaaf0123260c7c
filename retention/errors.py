"""What can be wrong with retaining data."""

from __future__ import annotations


class RetentionError(Exception):
    """What has been asked for cannot be kept or proven; the message says why, and names the remedy."""
