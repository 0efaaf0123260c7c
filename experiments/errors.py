"""What can be wrong with a request, its results or the machine, and not with the program."""

from __future__ import annotations


class ExperimentError(Exception):
    """Something that was asked for cannot be done or did not succeed; the message says what and names the remedy."""


class RequestError(ExperimentError):
    """Something that was asked for cannot be done; the message names it and the remedy."""
