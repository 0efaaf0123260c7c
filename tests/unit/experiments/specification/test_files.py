import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from experiments.documents.diagnostics import SpecificationError
from experiments.specification.files import FilesSpec, FileTask, tasks, threads
from experiments.specification.plan import check
from experiments.specification.specification_file import loads


def specification(*files):
    lines = "\n".join(f"- {{{entry}}}" for entry in files)
    return loads(f"name: a\nstrategies: [default]\nworkload: [tpch-q3]\nfiles:\n{lines}\n")


CREATE = "operation: create, file: /a, bytes: 5 MB"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("operation: create, file: /a", "bytes: give them to create"),
        ("operation: create, file: /a, bytes: 0", "files.0.bytes: 0: must be greater than 0"),
        ("operation: read, file: /a, bytes: 1", "bytes: not with read"),
        ("operation: rename, file: /a", "`to` and the operation rename go together"),
        ("operation: read, file: /a, to: /b", "`to` and the operation rename go together"),
        ("operation: delete, file: /a, host: h1", "host: not with delete, which is the name node's"),
        ("operation: read, file: /a, every_s: 3", "a sequence has `every_s` and `count`"),
        ("operation: delete, file: /a, every_s: 3, count: 2", "count: not with delete, which happens to a file once"),
        ("operation: read, file: a", "file"),
        ("operation: read, file: /a//b", "file"),
        ("operation: touch, file: /a", "operation"),
    ],
)
def test_an_operation_that_says_too_little_or_too_much_is_refused(entry, reason):
    with pytest.raises(SpecificationError, match=re.escape(reason)):
        specification(entry)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        (["operation: read, file: /a"], "files.0.file: '/a': no such file at that time; create it before"),
        ([CREATE, "operation: create, file: /a, bytes: 1"], "files.1.file: '/a': it is there already at that time"),
        ([CREATE, "operation: read, file: /a, host: h0"], "files.1.host: 'h0': no such host; did you mean 'h"),
        ([CREATE, "operation: delete, file: /a, at_s: 2", "operation: read, file: /a, at_s: 3"], "files.2.file: '/a'"),
        (
            [CREATE, CREATE.replace("/a", "/b"), "operation: rename, file: /a, to: /b, at_s: 1"],
            "files.2.to: '/b': there is a file of that name at that time",
        ),
        ([CREATE, "operation: read, file: /a, every_s: 1, count: 100000"], "there are 100,001 operations in all"),
        (["operation: create, file: /a, bytes: 1 PB"], "7,452,456 blocks of all data"),
    ],
)
def test_what_cannot_be_done_at_its_time_is_refused(entries, reason):
    with pytest.raises(SpecificationError, match=re.escape(reason)):
        check(specification(*entries))


def test_a_name_is_free_again_after_its_file_is_gone():
    check(
        specification(
            CREATE,
            "operation: rename, file: /a, to: /b, at_s: 1",
            "operation: create, file: /a, bytes: 1, at_s: 2",
            "operation: delete, file: /b, at_s: 3",
            "operation: rename, file: /a, to: /b, at_s: 4",
            "operation: read, file: /b, at_s: 5",
        )
    )


def test_a_sequence_is_so_many_operations_at_its_interval():
    entry = FilesSpec(operation="change", file="/a", bytes=7, at_s=10, every_s=2.5, count=3, host="h2", user="ann")
    assert tasks([entry]) == tuple(FileTask(0, at_s, "change", "/a", 7, "", "h2", "ann") for at_s in (10, 12.5, 15))
    with pytest.raises(ValidationError):
        FilesSpec(operation="read", file="/a", count=1, every_s=1)


OPERATIONS = st.lists(
    st.tuples(st.floats(0, 100), st.sampled_from("abcd"), st.sampled_from(["", "a", "b", "c", "d"])), max_size=20
)


@given(OPERATIONS)
def test_operations_on_the_same_names_follow_each_other_and_others_do_not_wait(drawn):
    every = sorted(
        (
            FileTask(place, at_s, "rename" if to else "read", file, 0, to, None, "u")
            for place, (at_s, file, to) in enumerate(drawn)
        ),
        key=lambda task: task.at_s,
    )
    found = threads(every)
    assert sorted(task.place for thread in found for task in thread) == sorted(task.place for task in every)
    names = [{name for task in thread for name in (task.file, task.to) if name} for thread in found]
    assert all(not one & other for place, one in enumerate(names) for other in names[:place])
    for thread in found:
        assert [task.at_s for task in thread] == sorted(task.at_s for task in thread)
        reached = {thread[0].file}
        for _ in thread:
            reached |= {name for task in thread if {task.file, task.to} & reached for name in (task.file, task.to)}
        assert {task.file for task in thread} <= reached
