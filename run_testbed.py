"""The testbed's command line: the first start installs what is missing, every start does what it is asked."""

from scripts.provision import ensure_environment


def main() -> None:
    """Enter the project's environment, then hand over to the commands."""
    ensure_environment()
    from experiments.command_line import app  # exists for the environment's Python only

    app()


if __name__ == "__main__":
    main()
