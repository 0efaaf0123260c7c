"""The JSON schema of topology documents: what `Topology.to_json` writes and the controller's API adds states to."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from topologies.topology import SCHEMA_VERSION, Topology


def json_schema() -> dict[str, Any]:
    """JSON schema of version `SCHEMA_VERSION`; further fields, such as states, are allowed."""
    fields = TypeAdapter(Topology).json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **fields,
        "properties": {"schema_version": {"const": SCHEMA_VERSION}, **fields["properties"]},
        "required": ["schema_version", *fields["required"]],
    }
