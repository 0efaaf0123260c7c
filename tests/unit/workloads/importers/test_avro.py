"""What is encoded in binary is read as the same in JSON."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.workloads.importers.avro_encoding import encoded
from workloads.importers.avro import json_lines

KIND = {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}
LEAF = {"type": "record", "name": "Leaf", "fields": [{"name": "kind", "type": KIND}]}
SCHEMA = {
    "type": "record",
    "name": "Event",
    "namespace": "a.b",
    "fields": [
        {"name": "number", "type": "long"},
        {"name": "small", "type": {"type": "int"}},
        {"name": "yes", "type": "boolean"},
        {"name": "half", "type": "float"},
        {"name": "double", "type": "double"},
        {"name": "raw", "type": "bytes"},
        {"name": "four", "type": {"type": "fixed", "name": "Four", "size": 4}},
        {"name": "either", "type": ["null", "string", LEAF, {"type": "array", "items": "int"}]},
        {"name": "leaves", "type": {"type": "array", "items": "a.b.Leaf"}},
        {"name": "counts", "type": {"type": "map", "values": "long"}},
        {"name": "next", "type": ["null", "Event"]},
    ],
}
LONGS = st.integers(-(2**63), 2**63 - 1)
LATIN = st.text(st.characters(max_codepoint=255))
LEAVES = st.fixed_dictionaries({"kind": st.sampled_from("AB")})


def events(inner):
    return st.fixed_dictionaries(
        {
            "number": LONGS,
            "small": st.integers(-(2**31), 2**31 - 1),
            "yes": st.booleans(),
            "half": st.floats(width=32, allow_nan=False),
            "double": st.floats(allow_nan=False),
            "raw": LATIN,
            "four": st.text(st.characters(max_codepoint=255), min_size=4, max_size=4),
            "either": st.none()
            | st.text(max_size=200).map(lambda text: {"string": text})
            | LEAVES.map(lambda leaf: {"a.b.Leaf": leaf})
            | st.lists(st.integers(0, 300)).map(lambda numbers: {"array": numbers}),
            "leaves": st.lists(LEAVES, max_size=4),
            "counts": st.dictionaries(st.text(max_size=5), LONGS, max_size=4),
            "next": inner.map(lambda event: {"a.b.Event": event}) | st.none(),
        }
    )


def read(data, size=7, schema=SCHEMA):
    pieces = (data[i : i + size] for i in range(0, len(data), size))
    return [json.loads(line) for line in json_lines(json.dumps(schema), pieces)]


@given(st.lists(events(events(st.nothing())), max_size=3), st.integers(1, 50))
def test_records_are_read_in_whatever_pieces_they_come(records, size):
    assert read(b"".join(encoded(SCHEMA, record) for record in records), size) == records


def test_data_that_ends_within_a_record_is_told_from_data_that_ends_behind_one():
    one = encoded({"type": "string"}, "some text")
    assert read(one * 2, schema={"type": "string"}) == ["some text"] * 2
    lines = json_lines('{"type": "string"}', [one, one[:4]])
    assert next(lines) == '"some text"\n'
    with pytest.raises(EOFError):
        next(lines)


def test_records_without_bytes_and_types_that_multiply_are_refused_in_time():
    doubled: list[dict[str, Any]] = [{"type": "record", "name": "A0", "fields": []}]
    for number in range(40):
        fields = [{"name": name, "type": f"A{number}"} for name in ("left", "right")]
        doubled.append({"type": "record", "name": f"A{number + 1}", "fields": fields})
    schema = json.dumps({"type": "record", "name": "All", "fields": [{"name": "a", "type": doubled}]})
    with pytest.raises(ValueError, match="more than 1000000 values"):
        list(json_lines(schema, [b"\x50"]))  # choice 40
    with pytest.raises(ValueError, match="a record of no bytes"):
        list(json_lines('{"type": "null"}', [b"\0"]))


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        ("not JSON", b"\0"),
        ("[]", b"\0"),
        ('"unknown"', b"\0"),
        ('{"type": "record", "name": "A", "fields": [{"name": "a", "type": "A"}]}', b"\0"),
        ('{"type": "enum", "name": "A", "symbols": ["x"]}', b"\2"),
        ('{"type": "string"}', b"\1"),
        ('{"type": "string"}', b"\2\xff"),
        ('{"type": "string"}', b"\xff" * 9 + b"\1"),
        ('{"type": "long"}', b"\xff" * 11),
        ('{"type": "array", "items": "null"}', b"\xfe\xff\xff\xff\x0f"),
    ],
)
def test_what_is_no_schema_or_does_not_follow_it_is_refused(schema, data):
    with pytest.raises(ValueError):  # noqa: PT011 - the reading of the file names it and says what to do
        list(json_lines(schema, [data]))
