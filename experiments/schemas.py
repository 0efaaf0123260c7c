"""Writes the JSON schemas of the documents that people and programs exchange: `python -m experiments.schemas docs`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from experiments import record, specification_file, sweep_file


def write(folder: Path) -> None:
    """Write specification.schema.json, sweep.schema.json and record.schema.json into a folder."""
    schemas = {
        "specification": specification_file.json_schema(),
        "sweep": sweep_file.json_schema(),
        "record": record.json_schema(),
    }
    for name, schema in schemas.items():
        (folder / f"{name}.schema.json").write_text(json.dumps(schema, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
