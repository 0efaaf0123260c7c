#!/usr/bin/env python3
"""The testbed's command line: the first start installs what is missing, every start does what it is asked."""

import sys

from scripts.provision import ensure_environment


def main() -> int:
    """Enter the project's environment, then hand over to the commands."""
    ensure_environment()
    from experiments.commands.main import main as answer

    return answer()


if __name__ == "__main__":
    sys.exit(main())
