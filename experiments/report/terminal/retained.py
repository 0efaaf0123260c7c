"""What retaining files came to in a run, on a terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from experiments.documents import numerals
from experiments.records.retention import RetentionRecord


def render(record: RetentionRecord) -> Table:
    """The figures of a run, a line each."""
    table = Table("", "", title="Tracked files", title_justify="left", box=None, show_header=False)
    table.add_row("transactions", numerals.figure(record.transactions))
    table.add_row("confirmed", numerals.figure(record.confirmed))
    if record.confirmed_after_s is not None:
        low, median, high = map(numerals.number, record.confirmed_after_s)
        table.add_row("confirmed after", f"{median} s, from {low} to {high}")
    table.add_row("refused by contracts", numerals.figure(record.refused))
    table.add_row("gas", numerals.figure(record.gas))
    table.add_row("proven before use", numerals.figure(record.checks))
    table.add_row("ledger started again", numerals.figure(record.ledger_restarts))
    for line in record.altered:
        table.add_row("altered", escape(line))
    for line in record.not_kept:
        table.add_row("not kept", escape(line))
    return table
