"""Records say in modelled units what agents and controller saw on the wall and on the wire."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.records import frames, series
from experiments.records.conversion import Decision, job_record, traffic_matrix
from workloads.coordination.events import Event, EventKind, JobResult, StageResult, Transfers, one_by_one
from workloads.scale import Scale

RACKS = {"h1": 1, "h2": 1, "h3": 2, "h4": 2}
HOSTS = tuple(RACKS)
SCALE = Scale(rate_divisor=8, volume_divisor=400)  # 50 modelled seconds in one on the wall


def result(**changed):
    known = {
        "job_id": "kmeans-1",
        "profile": "kmeans",
        "placement": ("h1", "h1", "h3"),
        "attempt": 1,
        "submitted_s": 10.0,
        "started_s": 10.5,
        "finished_s": 14.0,
    }
    return JobResult(**{**known, **changed})


def transfers(matrix):
    """Of one exchange, by hosts."""
    return [
        Transfers("kmeans-1", "scan", 0, 1, host, "scan>sink", [1.0], [0.5], [0], [peer], [size], [(0, 0)])
        for (host, peer), size in matrix.items()
    ]


def record(job, origin_s=9.0, scale=SCALE):
    return job_record(job, scale, origin_s, RACKS, Decision(job.placement, {"total": 0.25}, 0.02))


def test_times_are_modelled_seconds_since_the_first_submission():
    job = record(result(stages=[StageResult("scan", 10.6, 12.0), StageResult("never-started")]))
    assert (job.submitted_s, job.started_s, job.finished_s) == (50.0, 75.0, 250.0)
    assert job.completion_time_s == 200.0
    assert job.cost_terms == {"total": 0.25}
    assert job.decision_wall_s == 0.02
    (stage,) = job.stages
    assert (stage.name, stage.started_s, stage.finished_s) == ("scan", pytest.approx(80.0), 150.0)


def test_a_failed_job_has_a_reason_and_no_time():
    job = record(result(failed="agent of h3 died", attempt=2))
    assert job.reason == "agent of h3 died"
    assert job.attempts == 2
    assert job.finished_s is None
    assert job.completion_time_s is None


def test_bytes_are_modelled_and_divided_by_where_they_came_from():
    job = record(
        result(
            read_bytes={("h1", "h1"): 1000, ("h2", "h1"): 200, ("h3", "h1"): 30, ("h4", "h3"): 4},
            transfers=transfers({("h1", "h3"): 5, ("h1", "h1"): 10_000, ("h1", "h2"): 7}),
            written_bytes={("h3", "h1"): 6, ("h3", "h3"): 100_000},
            stages=[StageResult("scan", 10.6, 12.0, planned_bytes=90, sent_bytes=90, received_bytes=88)],
        )
    )
    assert job.read_bytes.model_dump() == {"local": 400_000, "rack": 81_600, "remote": 12_000}
    assert job.transferred_bytes == 400 * (200 + 30 + 4 + 5 + 7 + 6)
    assert job.cross_rack_bytes == 400 * (30 + 5 + 6)
    (stage,) = job.stages
    assert (stage.planned_bytes, stage.sent_bytes, stage.received_bytes) == (36_000, 36_000, 35_200)


matrices = st.dictionaries(st.tuples(st.sampled_from(HOSTS), st.sampled_from(HOSTS)), st.integers(0, 10**10))
results = st.builds(
    lambda read, exchanged, written: result(read_bytes=read, transfers=transfers(exchanged), written_bytes=written),
    matrices,
    matrices,
    matrices,
)
scales = st.builds(Scale, st.floats(1, 64), st.integers(1, 1000).map(float))


def events_of(job):
    """Events of a job, one for each pair of hosts of each of its matrices."""
    moved: tuple[tuple[EventKind, dict[tuple[str, str], int]], ...] = (
        ("read", job.read_bytes),
        ("write", job.written_bytes),
    )
    yield from job.transfers
    for kind, matrix in moved:
        for (source, destination), size in matrix.items():
            host, peer = (destination, source) if kind == "read" else (source, destination)
            yield Event(1.0, kind, host=host, peer=peer, bytes=size)
    yield Event(1.0, "stage_finished", bytes=10**12)


@given(st.lists(results, max_size=4), scales)
def test_the_matrix_of_the_events_and_the_jobs_tell_of_the_same_bytes(jobs, scale):
    matrix = traffic_matrix(frames.events([event for job in jobs for event in events_of(job)], scale), HOSTS)
    records = [record(job, scale=scale) for job in jobs]
    pairs = {(a, b): matrix.bytes[HOSTS.index(a)][HOSTS.index(b)] for a in HOSTS for b in HOSTS}
    between = sum(size for (a, b), size in pairs.items() if a != b)
    across = sum(size for (a, b), size in pairs.items() if RACKS[a] != RACKS[b])
    assert between == sum(job.transferred_bytes for job in records)
    assert across == sum(job.cross_rack_bytes for job in records)
    assert matrix.hosts == HOSTS


@given(results, scales)
def test_nothing_read_is_lost_between_the_places(job, scale):
    read = record(job, scale=scale).read_bytes
    assert read.total == scale.volume_divisor * sum(job.read_bytes.values())
    assert read.local == scale.volume_divisor * job.local_read_bytes


@given(results, scales)
def test_cross_rack_bytes_are_a_part_of_the_transferred_ones(job, scale):
    job = record(job, scale=scale)
    assert 0 <= job.cross_rack_bytes <= job.transferred_bytes


@given(scales, st.floats(0, 100), st.floats(0, 100))
def test_a_completion_time_does_not_depend_on_when_the_first_job_came(scale, origin_s, shift_s):
    times = [
        record(result(submitted_s=10 + shift_s, started_s=10 + shift_s, finished_s=14 + shift_s), origin, scale)
        for origin in (origin_s, 0.0)
    ]
    assert math.isclose(times[0].completion_time_s, times[1].completion_time_s, rel_tol=1e-9, abs_tol=1e-6)


def reading(time_s, tx_bytes=0, drops=0, age_s=None):
    """A `/v1/links` document; the port came to be 100 s before 1,000 s."""
    link = {
        "id": "t1-c1/1",
        "capacity_mbps": 6.25,
        "time_s": time_s,
        "age_s": time_s - 900 if age_s is None else age_s,
        "tx_packets": 1,
    }
    return {
        "time_s": time_s,
        "links": [
            {**link, "direction": "up", "tx_bytes": tx_bytes, "drops": drops},
            {**link, "direction": "down", "tx_bytes": 0, "drops": 0},
        ],
    }


def rows_up(readings):
    return frames.links(readings, SCALE, 1000.0).filter(pl.col("direction") == "up").to_dicts()


def test_link_rows_are_in_modelled_units_and_of_what_came_since_the_row_before():
    rows = rows_up([reading(1000.0, 7, drops=3), reading(1000.5, 62_507, drops=3), reading(1001.0, 62_507, drops=8)])
    assert [row["time_s"] for row in rows] == [0.0, 25.0, 50.0]
    assert [row["bytes"] for row in rows] == [
        0,
        25_000_000,
        0,
    ]  # what was sent or dropped before the run is not its own
    assert [row["bits_per_s"] for row in rows] == [None, 8e6, 0]
    assert [row["utilisation"] for row in rows] == [None, 0.16, 0]
    assert [row["drops"] for row in rows] == [0, 0, 5]
    assert set(rows[0]) == set(series.LINKS)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40).map(sorted))
def test_readings_that_were_missed_or_seen_several_times_leave_nothing_out_and_add_nothing(moments):
    rows = rows_up([reading(1000.0 + moment, 1000 * moment, drops=7 * moment) for moment in moments])
    assert [row["time_s"] for row in rows] == [50.0 * moment for moment in sorted(set(moments))]
    assert sum(row["drops"] for row in rows) == 7 * (moments[-1] - moments[0])
    assert sum(row["bytes"] for row in rows) == 400_000 * (moments[-1] - moments[0])
    assert {row["bits_per_s"] for row in rows[1:]} <= {64_000.0}


def test_a_port_that_was_made_anew_begins_again():
    rows = rows_up(
        [reading(1000.0, 0), reading(1001.0, 5000), reading(1002.0, 10, age_s=0.5), reading(1003.0, 20, age_s=1.5)]
    )
    assert [row["bytes"] for row in rows] == [0, 2_000_000, 0, 4000]


def test_no_reading_before_the_controller_has_looked_gives_no_rows():
    assert frames.links([{"time_s": 0.0, "links": []}], SCALE, 1000.0).height == 0


def test_events_are_recorded_in_the_units_of_the_modelled_cluster_in_the_order_of_their_times():
    read = Event(time_s=2.0, kind="read", job="a", bytes=1000, start_s=1.0, cpu_s=0.5, late_s=0.01)
    sent = Transfers(
        "a", "sink", 3, 4, "h1", "scan>sink", [1.5, 3.0], [1.0, 1.0], [0, 1], ["h1", "h2"], [7, 8], [(0, 0), (9, 5)]
    )
    frame = frames.events([read, sent], Scale(rate_divisor=8, volume_divisor=128), origin_wall_s=1.0)
    assert set(frame.columns) == set(series.EVENTS)
    first, row, last = frame.to_dicts()
    assert (row["time_s"], row["start_s"], row["cpu_s"], row["bytes"]) == (16, 0, 8, 128_000)
    assert (row["kind"], row["late_wall_s"], row["peer_task"]) == ("read", 0.01, None)
    assert [one["kind"] for one in (first, last)] == ["transfer", "transfer"]
    assert (first["time_s"], first["bytes"], first["local"], first["peer_task"]) == (8, 7 * 128, True, 0)
    assert (last["peer"], last["local"], last["detail"], last["container"]) == ("h2", False, "scan>sink", 4)
    assert (first["source_port"], last["source_port"], last["destination_port"]) == (None, 9, 5)


def test_no_events_are_no_rows():
    frame = frames.events([], SCALE)
    assert (frame.height, set(frame.columns)) == (0, set(series.EVENTS))


@given(results)
def test_transfers_one_by_one_are_what_their_columns_say(job):
    listed = list(one_by_one(job.transfers))
    assert frames.events(listed, SCALE).equals(frames.events(job.transfers, SCALE))
