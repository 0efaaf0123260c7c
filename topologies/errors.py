"""What can be wrong with a network, as it is planned or as it is emulated."""

from __future__ import annotations


class NetworkError(Exception):
    """A network that cannot be; the message says what is wrong, with which value, and names the remedy."""
