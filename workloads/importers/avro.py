"""Avro records in binary, as lines of the same records in JSON: both encodings are those of Avro's specification.

https://avro.apache.org/docs/1.11.1/specification/
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterable, Iterator
from typing import Any

JSON, BINARY = "Avro-Json", "Avro-Binary"
"""First lines of Hadoop's job histories in either encoding; the second line has the schema."""

_MOST_VALUES = 10**6
_MOST_BYTES = 64 * 2**20
_NUMBER_BITS = 70  # of a long, seven a byte


def json_lines(schema: str, chunks: Iterable[bytes]) -> Iterator[str]:
    """The records of a file, one a line; a value of a union stands in an object with the name of its type.

    Args:
        schema: That of each record, in JSON; its names are in one namespace.
        chunks: The file behind its schema, in pieces.

    Raises:
        ValueError: it is no schema, or the data does not follow it.
        EOFError: the data ends within a record.
    """
    data = _Data(chunks)
    try:
        root = json.loads(schema)
        types = _Types(root)
        while not data.ended():
            data.values_left, before = _MOST_VALUES, data.taken
            value = types.value(root, data)
            if data.taken == before:
                raise ValueError("a record of no bytes")
            yield json.dumps(value) + "\n"
    except (LookupError, TypeError, AttributeError, struct.error, RecursionError) as error:
        raise ValueError(f"it does not follow its schema: {error}") from error


class _Data:
    """Takes values out of pieces of bytes.

    Attributes:
        taken: bytes so far.
        values_left: how many a record may still have, also such that take no bytes.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._chunk = io.BytesIO()
        self.taken = 0
        self.values_left = _MOST_VALUES

    def ended(self) -> bool:
        """Whether nothing is left."""
        while self._chunk.tell() == self._chunk.getbuffer().nbytes:
            if (chunk := next(self._chunks, None)) is None:
                return True
            self._chunk = io.BytesIO(chunk)
        return False

    def take(self, size: int) -> bytes:
        """So many bytes."""
        if not 0 <= size <= _MOST_BYTES:
            raise ValueError(f"a value of {size} bytes")
        taken = self._chunk.read(size)
        while len(taken) < size:
            if self.ended():
                raise EOFError
            taken += self._chunk.read(size - len(taken))
        self.taken += size
        return taken

    def number(self) -> int:
        """An int or a long: zig-zag, seven bits a byte, the least first."""
        raw = 0
        for shift in range(0, _NUMBER_BITS, 7):
            byte = self.take(1)[0]
            raw |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (raw >> 1) ^ -(raw & 1)
        raise ValueError("a number of more than 64 bits")

    def blocks(self) -> Iterator[int]:
        """Numbers of the items of an array or a map, block by block."""
        while count := self.number():
            if count < 0:
                count = -count
                self.number()  # bytes of the block
            yield from range(count)


class _Types:
    """Reads values of the types of a schema, which describes each once and then names it."""

    def __init__(self, root: Any) -> None:  # noqa: ANN401 - anything of JSON
        self._namespace = root.get("namespace", "")
        self._named = {described["name"]: described for described in _described(root)}

    def value(self, schema: Any, data: _Data) -> Any:  # noqa: ANN401 - anything of JSON
        """The next value, which has this type."""
        data.values_left -= 1
        if data.values_left < 0:
            raise ValueError(f"a record of more than {_MOST_VALUES} values")
        if isinstance(schema, list):
            chosen = schema[_index(data.number(), len(schema))]
            value = self.value(chosen, data)
            return None if chosen == "null" else {self._name(chosen): value}
        match schema["type"] if isinstance(schema, dict) else schema:
            case "null":
                return None
            case "boolean":
                return data.take(1) != b"\0"
            case "int" | "long":
                return data.number()
            case "float":
                return struct.unpack("<f", data.take(4))[0]
            case "double":
                return struct.unpack("<d", data.take(8))[0]
            case "string":
                return data.take(data.number()).decode()
            case "bytes":
                return data.take(data.number()).decode("latin-1")
            case "fixed":
                return data.take(schema["size"]).decode("latin-1")
            case "enum":
                return schema["symbols"][_index(data.number(), len(schema["symbols"]))]
            case "array":
                return [self.value(schema["items"], data) for _ in data.blocks()]
            case "map":
                return {self.value("string", data): self.value(schema["values"], data) for _ in data.blocks()}
            case "record":
                return {field["name"]: self.value(field["type"], data) for field in schema["fields"]}
            case str(name):
                return self.value(self._named[name.rpartition(".")[2]], data)
            case other:
                return self.value(other, data)

    def _name(self, schema: Any) -> str:  # noqa: ANN401 - anything of JSON
        """The name by which a union tells a type."""
        name = str(schema if isinstance(schema, str) else schema.get("name", schema["type"]))
        known = name.rpartition(".")[2] in self._named
        return f"{self._namespace}.{name}" if known and self._namespace and "." not in name else name


def _described(schema: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - anything of JSON
    """The records, enumerations and fixed types that a schema describes, at whatever depth."""
    if isinstance(schema, list):
        for one in schema:
            yield from _described(one)
    elif isinstance(schema, dict):
        if schema["type"] in ("record", "enum", "fixed"):
            yield schema
        for inner in (schema["type"], schema.get("items"), schema.get("values")):
            yield from _described(inner)
        for field in schema.get("fields", ()):
            yield from _described(field["type"])


def _index(number: int, count: int) -> int:
    if not 0 <= number < count:
        raise ValueError(f"choice {number} of {count}")
    return number
