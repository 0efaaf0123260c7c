#!/usr/bin/env python3
"""The testbed's command line: the first start installs what is missing, every start does what it is asked."""

import os
import sys

from scripts.provision import ensure_environment, packages_for


def main() -> int:
    """Enter the project's environment, then hand over to the commands."""
    open_standard_streams()
    ensure_environment(packages_for(sys.argv[1:]))
    from experiments.commands.main import main as answer

    return answer()


def open_standard_streams() -> None:
    """Open those of descriptors 0 to 2 that are closed on /dev/null, lest what is printed get into another file."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free, which is this one
        if getattr(sys, name) is None:
            stream = open(descriptor, "w" if descriptor else "r", closefd=False)  # noqa: SIM115 - stays open
            setattr(sys, name, stream)


if __name__ == "__main__":
    sys.exit(main())
