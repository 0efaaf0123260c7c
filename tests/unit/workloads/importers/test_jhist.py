import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.workloads.importers.avro_encoding import encoded
from tests.unit.workloads.importers.jhist_events import NAMES, SCHEMA, History
from workloads.importers import import_trace
from workloads.importers.jhist import import_job_history
from workloads.importers.trace import TraceError
from workloads.job import Exchange


def imported(history):
    return import_job_history(history.lines(), "log")


def word_count(**options):
    """Three maps of 600 bytes, of which one failed at first; two reducers, which began before the last map ended."""
    log = History(maps=3, reducers=2, **options)
    log.task("MAP", 0, span=(2000, 4000), HDFS_BYTES_READ=100, CPU_MILLISECONDS=500, PHYSICAL_MEMORY_BYTES=2**20)
    log.attempt("MAP", 1, span=(2000, 2500), status="FAILED")
    log.task("MAP", 1, number=1, span=(2500, 6000), host="n2", HDFS_BYTES_READ=200, CPU_MILLISECONDS=1000, CHECKSUM=-7)
    log.task("MAP", 2, span=(4000, 5000), HDFS_BYTES_READ=300, CPU_MILLISECONDS=1500, FILE_BYTES_READ=9999)
    used = {"PHYSICAL_MEMORY_BYTES": 1500 * 2**20, "HDFS_BYTES_WRITTEN": 25}
    log.task("REDUCE", 0, span=(5000, 8000), shuffled=6500, REDUCE_SHUFFLE_BYTES=50, CPU_MILLISECONDS=2000, **used)
    log.task("REDUCE", 1, span=(5500, 7500), shuffled=7000, REDUCE_SHUFFLE_BYTES=30, CPU_MILLISECONDS=1000, **used)
    return log.end()


def map_only(**options):
    log = History(maps=2, **options)
    for task in range(2):
        log.task("MAP", task, HDFS_BYTES_READ=1000, HDFS_BYTES_WRITTEN=400, CPU_MILLISECONDS=10)
    return log.end()


def node_lost():
    """The node of a map that had succeeded was lost, and the map ran again on another one."""
    log = History(maps=2, reducers=1)
    log.task("MAP", 0, HDFS_BYTES_READ=100)
    log.task("MAP", 1, HDFS_BYTES_READ=200)
    log.attempt("MAP", 0, status="KILLED")
    log.task("MAP", 0, number=1, host="n2", HDFS_BYTES_READ=110)
    log.task("REDUCE", 0, REDUCE_SHUFFLE_BYTES=30, HDFS_BYTES_READ=40, HDFS_BYTES_WRITTEN=5)
    return log.end()


def speculative():
    """Two attempts of a map succeed, and the first one counts."""
    log = History(maps=1, reducers=1)
    log.attempt("MAP", 0, HDFS_BYTES_READ=100)
    log.attempt("MAP", 0, number=1, HDFS_BYTES_READ=101)
    log.finish("MAP", 0, HDFS_BYTES_READ=100)
    log.task("REDUCE", 0, REDUCE_SHUFFLE_BYTES=30)
    return log.end()


def failed():
    log = History(maps=2, reducers=2)
    log.task("MAP", 0, HDFS_BYTES_READ=100)
    log.task("MAP", 1, HDFS_BYTES_READ=200)
    log.task("REDUCE", 0, REDUCE_SHUFFLE_BYTES=30)
    log.attempt("REDUCE", 1, status="FAILED")
    return log.end("FAILED")


def bare():
    return word_count(bare=True)


HISTORIES = {make.__name__: make for make in (word_count, map_only, node_lost, speculative, failed, bare)}


def truth(history, kind):
    """Sums over what the history says of each task of a kind when it finished, of each task the last time."""
    last = {}
    for event in history.events:
        ((_, fields),) = event["event"].items()
        if event["type"] == "TASK_FINISHED" and fields["taskType"] == kind:
            counters = fields["counters"].get(f"{NAMES}JhCounters", fields["counters"])
            last[fields["taskid"]] = {
                counter["name"]: counter["value"] for group in counters["groups"] for counter in group["counts"]
            }

    def total(name):
        return sum(counts.get(name, 0) for counts in last.values())

    return {
        "read": total("HDFS_BYTES_READ"),
        "shuffled": total("REDUCE_SHUFFLE_BYTES"),
        "written": total("HDFS_BYTES_WRITTEN"),
        "cpu_s": pytest.approx(total("CPU_MILLISECONDS") / 1000),
        "readers": sum(counts.get("HDFS_BYTES_READ", 0) > 0 for counts in last.values()),
    }


def volumes(job, *names):
    """The same of some stages of a job; a file has a block for each task that reads of it."""
    stages = [job.stage_by_name[name] for name in names]
    reads = [read for stage in stages for read in stage.reads]
    return {
        "read": sum(read.bytes for read in reads),
        "shuffled": sum(item.bytes for stage in stages for item in stage.exchanges),
        "written": sum(stage.write_bytes for stage in stages),
        "cpu_s": sum(stage.cpu_s for stage in stages),
        "readers": sum(-(-read.bytes // read.block_bytes) for read in reads),
    }


@pytest.mark.parametrize("name", HISTORIES)
def test_every_stage_has_the_sums_of_its_tasks(name):
    history = HISTORIES[name]()
    job = imported(history).jobs[0].job
    assert volumes(job, "map") == truth(history, "MAP")
    if len(job.stages) > 1:
        assert volumes(job, "shuffle", "reduce") == truth(history, "REDUCE")


@given(
    st.lists(st.tuples(st.integers(1000, 10**9), st.integers(0, 10**6), st.integers(0, 2)), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 2)), max_size=5),
)
def test_whatever_failed_before_each_task_counts_once(maps, reducers):
    history = History(len(maps), len(reducers))
    for kind, tasks in (("MAP", maps), ("REDUCE", reducers)):
        for task, (moved, written, failures) in enumerate(tasks):
            for attempt in range(failures):
                history.attempt(kind, task, attempt, status="FAILED")
            counted = {"HDFS_BYTES_READ" if kind == "MAP" else "REDUCE_SHUFFLE_BYTES": moved, "CPU_MILLISECONDS": moved}
            history.task(kind, task, failures, HDFS_BYTES_WRITTEN=written, **counted)
    job = imported(history.end()).jobs[0].job
    assert volumes(job, "map") == truth(history, "MAP")
    assert not reducers or volumes(job, "shuffle", "reduce") == truth(history, "REDUCE")
    assert imported(history).notes == ()


def test_the_reducers_are_dealt_out_to_the_containers_with_what_they_got_and_computed():
    job = imported(word_count()).jobs[0].job
    assert [stage.name for stage in job.stages] == ["map", "shuffle", "reduce"]
    assert job.stages[1].exchanges == (Exchange("map", 80, shares=(50, 30)),)
    assert job.stages[2].exchanges == (Exchange("shuffle", 0, 3.0, "forward", pipelined=False, shares=(2, 1)),)


def test_there_are_as_many_containers_as_attempts_at_once_and_the_masters():
    job = imported(word_count()).jobs[0].job
    assert (job.containers, job.slots_per_container) == (4, 1)  # two maps and a reducer, or a map and two reducers


def test_memory_is_what_a_task_used_and_no_less_than_hadoop_gives():
    assert imported(word_count()).jobs[0].job.memory_mb == 1500
    assert imported(map_only()).jobs[0].job.memory_mb == 1024


@pytest.mark.parametrize(("begins", "waits"), [(5999, False), (6000, True)])
def test_the_shuffle_waits_for_the_last_map_if_no_reducer_began_before(begins, waits):
    history = word_count()
    for event in history.events:
        if event["type"] == "REDUCE_ATTEMPT_STARTED":
            event["event"][f"{NAMES}TaskAttemptStarted"]["startTime"] = begins
    assert imported(history).jobs[0].job.stages[1].exchanges[0].pipelined is not waits


def test_it_is_said_where_tasks_ran_and_how_long_the_job_and_its_stages_took():
    found = imported(word_count()).jobs[0]
    assert "maps /r1/n1 2, /r1/n2 1; reducers /r1/n1 2" in found.provenance
    assert found.recorded == (
        "Recorded: 8.0 s from submission to end; maps 4.0 s, transfers 2.0 s, longest reducer after its shuffle 1.5 s."
    )


def test_other_file_systems_count_as_hdfs_does_and_the_formats_own_counters_where_there_is_none():
    lines = "".join(map_only().lines())
    s3 = import_job_history(lines.replace("HDFS_", "S3A_").splitlines(), "log").jobs
    assert s3 == imported(map_only()).jobs
    group = "org.apache.hadoop.mapreduce.lib.input.FileInputFormatCounter"
    local = lines.replace('"HDFS_BYTES_READ"', '"BYTES_READ"').replace(
        "org.apache.hadoop.mapreduce.FileSystemCounter", group
    )
    assert import_job_history(local.splitlines(), "log").jobs[0].job.input_bytes == 2000


@pytest.mark.parametrize(("written", "block_bytes"), [(500, 500), (0, 1)])
def test_maps_that_make_their_data_read_as_much_as_they_pass_on_and_have_a_block_each(written, block_bytes):
    history = History(maps=2)
    for task in range(2):
        history.task("MAP", task, HDFS_BYTES_WRITTEN=written)
    found = imported(history.end()).jobs[0]
    (read,) = found.job.reads
    assert (read.bytes, read.block_bytes) == (2 * block_bytes, block_bytes)
    assert "make their data" in found.provenance


def test_what_did_not_succeed_is_said():
    assert imported(word_count()).notes == ()
    assert imported(failed()).notes == (
        "the job ended as FAILED: what had succeeded by then is imported",
        "1 of 2 reducers did not succeed; their work is missing",
        "the history has no CPU times (CPU_MILLISECONDS): the job computes nothing",
    )


@pytest.mark.parametrize("binary", [False, True])
def test_a_history_that_was_cut_off_is_imported_as_far_as_it_goes(tmp_path, binary):
    history, path = word_count(), tmp_path / "job.jhist"
    path.write_bytes(in_binary(history)[:-9] if binary else "".join(history.lines()).encode()[:-30])
    trace = import_trace(path)
    assert trace.jobs[0].job.stages == imported(history).jobs[0].job.stages
    assert trace.notes == (
        "job.jhist ends in the middle; what it has been cut off from is missing",
        "the history ends before the job does; what came later is missing",
    )


def in_binary(history):
    records = b"".join(encoded(SCHEMA, event) for event in history.events)
    return b"Avro-Binary\n" + json.dumps(SCHEMA).encode() + b"\n" + records


@pytest.mark.parametrize("name", sorted(HISTORIES.keys() - {"bare"}))  # whose unions tell no types
def test_histories_in_binary_are_those_in_json(tmp_path, name):
    history = HISTORIES[name]()
    for path, data in (("json", "".join(history.lines()).encode()), ("binary", in_binary(history))):
        (tmp_path / path).write_bytes(data)
    assert import_trace(tmp_path / "binary").jobs == import_trace(tmp_path / "json").jobs == imported(history).jobs


def test_a_binary_history_that_is_damaged_is_refused(tmp_path):
    (tmp_path / "job.jhist").write_bytes(in_binary(map_only()) + b"\xff" * 20)
    with pytest.raises(TraceError, match=r"job\.jhist: damaged .*; copy it again"):
        import_trace(tmp_path / "job.jhist")


def changed(change):
    history = map_only()
    change(history.events)
    return history.lines()


def one_map_with(**volumes):
    history = History(maps=1)
    history.task("MAP", 0, **volumes)
    return history.lines()


def fields_of(event):
    return next(iter(event["event"].values()))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "log: line 1: not Avro-Json"),
        (["Avro-Json\n", "{}\n"], "no map succeeded"),
        (["Avro-Json\n", "{}\n", "x\n"], "line 3: event is malformed .*JSON"),
        (["Avro-Json\n", "{}\n", "{}\n"], "line 3: event is malformed .*missing .*`event`"),
        (["Avro-Json\n", "{}\n", '{"type": "TASK_FINISHED", "event": 3}\n'], "line 3: TASK_FINISHED is malformed"),
        (changed(lambda events: fields_of(events[3]).pop("counters")), "MAP_ATTEMPT_FINISHED .*missing .*`counters`"),
        (changed(lambda events: fields_of(events[3]).update(finishTime=-1)), r"malformed .*>= 0 - at `\$.finishTime`"),
        (changed(lambda events: fields_of(events[3]).update(counters=None)), "MAP_ATTEMPT_FINISHED is malformed"),
        (changed(lambda events: fields_of(events[0]).update(submitTime="x")), "JOB_SUBMITTED is malformed"),
        (one_map_with(HDFS_BYTES_READ=-5), "line 6: MAP_ATTEMPT_FINISHED .*HDFS_BYTES_READ is -5"),
        (one_map_with(HDFS_BYTES_READ=2**63), r"line 6: .*<= 9223372036854775807 - at `\$\.counters\.groups"),
    ],
)
def test_bad_histories_are_refused_with_the_line_and_a_remedy(lines, said):
    with pytest.raises(TraceError, match=said) as error:
        import_job_history(lines, "log")
    assert "\n" not in str(error.value)
    assert ";" in str(error.value)
