"""The JSON schemas of the documents that people and programs exchange.

`python -m experiments.records.schemas docs` writes them into `docs`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from experiments.records import record
from experiments.specification import specification_file, sweep_file
from topologies import schema


def write(folder: Path) -> None:
    """Write the schema of each document into a folder."""
    documents = {
        "specification": specification_file.json_schema(),
        "sweep": sweep_file.json_schema(),
        "record": record.json_schema(),
        "topology": schema.json_schema(),
    }
    for name, document in documents.items():
        (folder / f"{name}.schema.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
