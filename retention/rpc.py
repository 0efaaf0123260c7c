"""Calls of a node of the ledger: JSON-RPC 2.0 over HTTP on loopback."""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any

from retention.errors import RetentionError


class LedgerError(RetentionError):
    """The ledger refused a request, or does not answer."""


class Rpc:
    """A connection to a node.

    Args:
        port: on 127.0.0.1.
        timeout_s: for which an answer is waited for.
    """

    def __init__(self, port: int, timeout_s: float = 60.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        self._numbers = itertools.count(1)

    def call(self, method: str, *parameters: Any) -> Any:  # noqa: ANN401 - anything that JSON can hold
        """The result of one request.

        Raises:
            LedgerError: it was refused, or there is no answer.
        """
        (answer,) = self.batch([(method, parameters)])
        if isinstance(answer, LedgerError):
            raise answer
        return answer

    def batch(self, requests: Iterable[tuple[str, Sequence[Any]]]) -> list[Any]:
        """The result of each request, or the `LedgerError` of one that was refused.

        Raises:
            LedgerError: there is no answer.
        """
        sent = {
            number: {"jsonrpc": "2.0", "id": number, "method": method, "params": list(parameters)}
            for number, (method, parameters) in zip(self._numbers, requests, strict=False)
        }
        if not sent:
            return []
        try:
            self._connection.request(
                "POST", "/", json.dumps(list(sent.values())), headers={"Content-Type": "application/json"}
            )
            answers = {answer["id"]: answer for answer in json.load(self._connection.getresponse())}
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            raise LedgerError(f"the ledger does not answer: {error!r}") from error
        return [_result(answers[number], str(request["method"])) for number, request in sent.items()]

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def _result(answer: dict[str, Any], method: str) -> Any:  # noqa: ANN401 - anything that JSON can hold
    if "error" in answer:
        return LedgerError(f"{method}: {answer['error'].get('message', answer['error'])}")
    return answer["result"]
