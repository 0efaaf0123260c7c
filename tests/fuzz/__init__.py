"""Damaged and hostile files of every kind that the program reads: `python -m tests.fuzz --help`."""
