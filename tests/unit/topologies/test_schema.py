"""The published schema accepts what is written and refuses what cannot be read."""

import json

import jsonschema_rs
import pytest

from topologies.presets import PRESETS
from topologies.schema import json_schema

VALIDATOR = jsonschema_rs.validator_for(json_schema())


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_written_is_valid(preset):
    assert VALIDATOR.is_valid(json.loads(PRESETS[preset]().to_json()))


@pytest.mark.parametrize(
    ("field", "value"),
    [("schema_version", 2), ("hosts", [{"name": "h1"}]), ("links", None), ("switches", [{"dpid": "x"}])],
)
def test_what_cannot_be_read_is_not_valid(field, value):
    assert not VALIDATOR.is_valid({**json.loads(PRESETS["thesis"]().to_json()), field: value})
