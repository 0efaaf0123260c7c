"""What can be wrong with jobs, schedules and traces, and with running them."""

from __future__ import annotations


class WorkloadError(Exception):
    """Jobs that cannot be, or cannot be run; the message says what is wrong, with which value, and names the remedy."""
