"""`clean`: what a killed testbed left behind goes."""

from __future__ import annotations

import argparse
import contextlib

SUMMARY = "remove what a killed testbed left behind, and nothing else"
EXAMPLES = ("sudo clean",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run() -> int:
    """Remove it and print how much it was."""
    from topologies.emulated import isolation

    with contextlib.suppress(FileNotFoundError):
        removed = isolation.clean_up()
        print(f"removed what {len(removed)} killed runs left behind" if removed else "nothing to remove")
    return 0
