"""The compiled contracts, and what their calls look like on the wire (Solidity's ABI)."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retention.errors import RetentionError

FOLDER = Path(__file__).parent / "contracts"
COMPILED = FOLDER / "compiled.json"


@dataclass(frozen=True)
class Contract:
    """A contract.

    Attributes:
        name: of its source, without the ending.
        source_sha256: of the source that was compiled.
        compiler: its version.
        bytecode: what deploys it, in hexadecimal.
        abi: its functions and events.
        selectors: by the name of a function, the first four bytes of a call of it, in hexadecimal.
    """

    name: str
    source_sha256: str
    compiler: str
    bytecode: str
    abi: tuple[dict[str, Any], ...]
    selectors: dict[str, str]

    def deployment(self, *arguments: Any) -> str:
        """Data of the transaction that makes one, in hexadecimal."""
        inputs: list[dict[str, Any]] = next((item["inputs"] for item in self.abi if item["type"] == "constructor"), [])
        return self.bytecode + _encoded(inputs, arguments)

    def call(self, function: str, *arguments: Any) -> str:
        """Data of a call, in hexadecimal."""
        return self.selectors[function] + _encoded(self._function(function)["inputs"], arguments)

    def result(self, function: str, data: str) -> tuple[Any, ...]:
        """What a call of a function has returned."""
        return _decoded(self._function(function)["outputs"], data)

    def event(self, topics: list[str], data: str) -> dict[str, Any]:
        """The fields of the contract's only event by their names."""
        (event,) = (item for item in self.abi if item["type"] == "event")
        inside = [item for item in event["inputs"] if not item["indexed"]]
        fields = dict(zip((item["name"] for item in inside), _decoded(inside, data), strict=True))
        indexed = (item for item in event["inputs"] if item["indexed"])
        for item, topic in zip(indexed, topics[1:], strict=True):
            (fields[item["name"]],) = _decoded([item], topic)
        return fields

    def _function(self, name: str) -> dict[str, Any]:
        return next(item for item in self.abi if item["type"] == "function" and item["name"] == name)


@functools.cache
def contract(name: str) -> Contract:
    """One of `file_tracking` and `file_index`."""
    document = json.loads(COMPILED.read_text(encoding="utf-8"))
    found = document["contracts"][name]
    return Contract(
        name, found["source_sha256"], document["compiler"], found["bytecode"], tuple(found["abi"]), found["selectors"]
    )


def _types(items: list[dict[str, Any]]) -> list[str]:
    return [_type(item) for item in items]


def _type(item: dict[str, Any]) -> str:
    if not item["type"].startswith("tuple"):
        return str(item["type"])
    return f"({','.join(map(_type, item['components']))}){item['type'].removeprefix('tuple')}"


def _encoded(items: list[dict[str, Any]], arguments: tuple[Any, ...]) -> str:
    return bytes(_abi().encode(_types(items), arguments)).hex()


def _decoded(items: list[dict[str, Any]], data: str) -> tuple[Any, ...]:
    return tuple(_abi().decode(_types(items), bytes.fromhex(data.removeprefix("0x"))))


def _abi() -> Any:  # noqa: ANN401 - a module that is there only where its group is installed
    try:
        import eth_abi
    except ModuleNotFoundError:
        raise RetentionError("eth-abi is not installed; run `python3 scripts/provision_retention.py`") from None
    return eth_abi
