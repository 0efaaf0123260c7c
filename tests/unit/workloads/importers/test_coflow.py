import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.importers.coflow import import_coflows
from workloads.importers.trace import TraceError

LINES = ["4 2", "7 2500 1 0 2 1:10 3:30.5", "3 1000 3 0 2 2 1 1:8"]


def test_every_coflow_becomes_a_job_at_its_time():
    jobs = import_coflows(LINES, "trace").jobs
    assert [(imported.job.job_id, imported.at_s) for imported in jobs] == [("coflow-3", 0.0), ("coflow-7", 1.5)]


def test_mappers_send_and_reducers_get_what_the_trace_says():
    later = import_coflows(LINES, "trace").jobs[1].job
    shuffle = later.stages[1].exchanges[0]
    assert later.input_bytes == shuffle.bytes == 40.5 * 2**20
    assert shuffle.shares == (10, 30.5)
    first = import_coflows(LINES, "trace").jobs[0].job
    assert [read.bytes for read in first.stages[0].reads] == pytest.approx([8 * 2**20 / 3] * 3, abs=1)
    assert all(read.block_bytes == read.bytes for read in first.reads)  # one mapper sends all of it
    assert (first.tasks, first.stages[1].exchanges[0].shares) == (3, (8,))


def test_comments_and_empty_lines_say_nothing():
    commented = ["# a trace", LINES[0], "", "# a coflow", f"{LINES[1]} # with much to send", LINES[2]]
    assert import_coflows(commented, "trace") == import_coflows(LINES, "trace")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["4 1", "1 0 2 9 1 1 2:10"], "line 2: rack of mapper 1: 9; there are 4 racks"),
        (["4 1", "1 0 1 1 1 77:10"], "line 2: reducer 1: rack: 77; there are 4 racks"),
        (["4 2", "1 0 1 0 1 1:1", "2 0 1 1 1 4:1"], "line 3: rack 4 of 4, and others count from 0"),
    ],
)
def test_racks_that_there_are_not_are_refused(lines, said):
    with pytest.raises(TraceError, match=said):
        import_coflows(lines, "trace")


def test_racks_may_count_from_one():
    assert len(import_coflows(["4 1", "1 0 1 1 1 4:1"], "trace").jobs) == 1


def test_coflows_whose_names_become_alike_are_told_apart():
    trace = import_coflows(["4 3", "a/b 0 1 0 1 1:1", "a-b 1 1 0 1 1:1", "a+b 2 1 0 1 1:1"], "trace")
    assert [imported.job.job_id for imported in trace.jobs] == ["coflow-a-b", "coflow-a-b-2", "coflow-a-b-3"]


def test_provenance_has_the_racks_of_the_trace():
    provenance = import_coflows(LINES, "trace").jobs[0].provenance
    assert "mappers 0, 2 (2 times); reducers 1" in provenance


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e6),
            st.lists(st.integers(0, 9), min_size=1, max_size=12),
            st.lists(st.tuples(st.integers(0, 9), st.integers(1, 10**7)), min_size=1, max_size=12),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_volumes_and_slots_fit_whatever_the_trace(coflows):
    lines = [f"10 {len(coflows)}"]
    for number, (arrival, mappers, reducers) in enumerate(coflows):
        received = " ".join(f"{rack}:{size}" for rack, size in reducers)
        lines.append(f"{number} {arrival} {len(mappers)} {' '.join(map(str, mappers))} {len(reducers)} {received}")
    trace = import_coflows(lines, "trace")
    by_id = {imported.job.job_id: imported.job for imported in trace.jobs}
    for number, (_, mappers, reducers) in enumerate(coflows):
        job = by_id[f"coflow-{number}"]
        assert job.input_bytes == job.exchanged_bytes == sum(size for _, size in reducers) * 2**20
        assert job.tasks >= max(len(mappers), len(reducers))
        assert job.containers <= 10 * trace.cluster["node"]["slots"]
    assert min(imported.at_s for imported in trace.jobs) == 0


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "trace: empty"),
        (["4"], "line 1: 1 fields"),
        (["4 x"], "line 1: coflows: 'x'"),
        (["300 1"], "line 1: 300 racks"),
        (["4 3", *LINES[1:]], "announces 3 coflows, 2 follow"),
        (["4 2", "", LINES[1], LINES[1]], "line 4: coflow 7 was there before"),
        (["4 1", "7 0 2 1"], "line 2: ends before the rack of mapper 2"),
        (["4 1", "7 0 0 1 1:4"], "line 2: mappers: '0'"),
        (["4 1", "7 -3 1 1 1 1:4"], "line 2: arrival: '-3'"),
        (["4 1", "7 0 1 1 1 4"], "line 2: reducer 1: '4' has no megabytes"),
        (["4 1", "7 0 1 1 1 1:nan"], "line 2: reducer 1: MB: 'nan'"),
        (["4 1", "7 0 1 1 1 1:4 2:5"], "line 2: '2:5' after the last reducer"),
        (["4 1", "7 0 1 1 1 1:0"], "line 2: moves 0 bytes"),
    ],
)
def test_bad_traces_are_refused_with_the_line_and_a_remedy(lines, said):
    with pytest.raises(TraceError, match=said) as error:
        import_coflows(lines, "trace")
    assert "\n" not in str(error.value)
    assert ";" in str(error.value)
