"""What can be wrong with a request, its results or the machine, and not with the program."""

from __future__ import annotations

from placement.errors import PlacementError
from retention.errors import RetentionError
from topologies.errors import NetworkError
from workloads.errors import WorkloadError


class ExperimentError(Exception):
    """Something that was asked for cannot be done or did not succeed; the message says what and names the remedy."""


class RequestError(ExperimentError):
    """Something that was asked for cannot be done; the message names it and the remedy."""


REFUSALS = (ExperimentError, NetworkError, PlacementError, RetentionError, WorkloadError)
"""The base of each room's errors: they are the request's or the machine's and not the program's."""
