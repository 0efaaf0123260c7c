"""What operations of clients took, from what was recorded of them."""

from experiments.records.file_figures import figures
from experiments.records.file_operations import FileOperation
from retention.transactions import Operation, Transaction
from workloads.coordination.events import Event


def operation(kind, file, size, start_s, time_s, user="ann"):
    return FileOperation(time_s, start_s, kind, file, None, user, "h1", size, None, ())


def transaction(kind, file, asked_s, confirmed_s, gas=10):
    done = Operation(file, kind, file, b"", 0, "ann", "")
    return Transaction(0, done, asked_s, asked_s, confirmed_s=confirmed_s, gas=gas)


def validated(start_s, time_s, detail, ok=True):
    return Event(time_s, "validated", start_s=start_s, ok=ok, detail=detail)


def test_operations_are_parted_by_kind_and_size_and_by_what_they_waited_for():
    """Ten modelled seconds are one on the wall, where the clock of transactions began at 100."""
    operations = [
        operation("create", "/a", 5, 101, 102),
        operation("change", "/a", 5, 103, 104),
        operation("change", "/a", 5, 105, 107),
        operation("create", "/b", 7, 101, 104),
        operation("create", "j/output/x/part-0", 7, 101, 104, user="j"),
        operation("rename", "/a", 5, 108, 108),
        operation("read", "/a", 5, 110, 115),
        operation("read", "/b", 7, 110, 112),
    ]
    transactions = [
        transaction("create", "/a", 21, 60),
        transaction("change", "/a", 42, 90, gas=3),
        transaction("change", "/a", 70, None, gas=None),
        transaction("register", "/a", 42, 90),
    ]
    events = [
        validated(112, 112.5, "/a 1", ok=False),
        validated(112, 112.5, "/a 0", ok=False),
        validated(114, 115, "/a"),
        validated(10, 11, "/a"),
        validated(110.5, 111, "/ab"),
    ]
    found = figures(operations, transactions, events, {"j"}, lambda wall_s: 10 * (wall_s - 100))
    assert [(one.operation, one.bytes, one.count) for one in found] == [
        ("change", 5, 2),
        ("create", 5, 1),
        ("create", 7, 1),
        ("read", 5, 1),
        ("read", 7, 1),
    ]
    change, create, untracked, read, plain = found
    assert change.available_s == (10, 15, 20)
    assert (change.hashed_s, change.confirmed_s, change.gas) == ((0, 1, 2), (50, 50, 50), (3, 3, 3))
    assert (create.available_s, create.hashed_s, create.confirmed_s) == ((10, 10, 10), (1, 1, 1), (40, 40, 40))
    assert (untracked.available_s, untracked.hashed_s, untracked.gas) == ((30, 30, 30), None, None)
    assert (read.available_s, read.proven_s) == ((35, 35, 35), (15, 15, 15))
    assert (plain.available_s, plain.proven_s) == ((20, 20, 20), None)
