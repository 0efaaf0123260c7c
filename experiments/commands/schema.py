"""`schema`: the JSON schema of specifications."""

from __future__ import annotations

import argparse
import json

SUMMARY = "print the JSON schema of specifications, for editors"
EXAMPLES = ("schema > schema.json",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run() -> int:
    """Print it."""
    from experiments.specification import specification_file

    print(json.dumps(specification_file.json_schema(), indent=1))
    return 0
