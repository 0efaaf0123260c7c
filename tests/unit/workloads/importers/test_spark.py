import contextlib
import copy
import functools
import json
import operator
from typing import Any

import pytest

from tests.unit.workloads.importers.spark_events import Log, rdd, stage, task
from tests.unit.workloads.importers.spark_logs import (
    LOGS,
    broadcast,
    computed_again,
    described_nowhere,
    dropped_start,
    end_of_a_stage_lost,
    kept,
    kept_again,
    kept_and_files,
    kept_and_given,
    kept_by_one_that_is_computed_again,
    made_by_itself,
    skipped_stage,
    still_written,
    tasks_again,
    two_shuffles,
    word_count,
)
from workloads.importers.spark import import_spark_log
from workloads.importers.trace import TraceError
from workloads.job import Exchange, Read


def imported(log):
    return import_spark_log(log.lines(), "log").jobs[0]


def exchange(job, name, source):
    return next(item for item in job.stage_by_name[name].exchanges if item.source == source)


def test_bytes_and_cpu_seconds_of_every_stage_are_conserved():
    job = imported(word_count()).job
    scan, count = job.stages
    assert scan.reads == (Read("word-count/input-0", 4000, 0.5, block_bytes=2000),)
    assert count.exchanges[0].bytes == 700
    assert count.exchanges[0].shares == (500, 200)
    assert (count.write_bytes, count.cpu_s) == (50, pytest.approx(1.5))


def test_an_executor_becomes_a_container_with_its_cores_and_memory():
    imported_trace = import_spark_log(word_count(executors=3, cores=4, memory="1536m").lines(), "log")
    job = imported_trace.jobs[0].job
    assert (job.containers, job.slots_per_container, job.vcores, job.memory_mb) == (4, 4, 4, 1536)
    assert "Spark 3.5.0" in imported_trace.jobs[0].provenance


def test_what_was_recorded_is_how_long_the_jobs_took_and_nothing_when_one_has_no_end():
    log = word_count()
    log.events[-1]["Completion Time"] = 12_510  # the job started at 10
    assert imported(log).recorded.startswith("Recorded: 12.5 s ")
    del log.events[-1]
    assert imported(log).recorded == ""


def test_executors_that_replace_others_are_not_counted_twice():
    log = word_count()
    lost = {"Event": "SparkListenerExecutorRemoved", "Executor ID": "0"}
    added = {"Event": "SparkListenerExecutorAdded", "Executor ID": "9", "Executor Info": {"Total Cores": 2}}
    log.events[5:5] = [lost, added]
    assert imported(log).job.containers == 3


def test_failed_tasks_do_not_count_and_a_retry_replaces_the_first_success():
    assert imported(tasks_again()).job.input_bytes == 4500


def test_what_two_shuffles_bring_is_divided_by_what_their_sources_wrote():
    log = two_shuffles()
    log.events[-2]["Task Metrics"]["Shuffle Read Metrics"]["Local Bytes Read"] = 1
    job = imported(log).job
    sizes = [exchange(job, "stage-2", source).bytes for source in ("stage-0", "stage-1")]
    assert sizes == [10, 31]
    assert exchange(job, "stage-2", "stage-0").shares == (41,)


def test_a_skipped_stage_stands_for_the_one_that_ran_before():
    job = imported(skipped_stage()).job
    assert exchange(job, "stage-3", "stage-0").bytes == 700
    assert exchange(job, "stage-3", "stage-1") == Exchange("stage-1", 0, 0.0, "forward", pipelined=False)


def test_what_a_task_kept_is_forwarded_and_shuffles_behind_it_are_not_read_again():
    job = imported(kept()).job
    assert job.stage_by_name["stage-3"].inputs == (Exchange("stage-1", 150, 1.0, "forward", pipelined=False),)
    assert job.input_bytes == 500


def test_a_broadcast_goes_from_the_stage_that_returned_it_to_the_one_that_joins_with_it():
    job = imported(broadcast()).job
    assert [(item.kind, item.bytes) for item in job.stage_by_name["stage-1"].exchanges] == [("broadcast", 100)]
    assert job.stage_by_name["stage-1"].reads[0].bytes == 1000


def test_a_stage_that_makes_its_data_reads_as_much_as_it_passes_on():
    found = imported(made_by_itself())
    assert found.job.input_bytes == 800
    assert "pass on: stage-0" in found.provenance


def test_what_is_kept_again_after_it_was_given_up_is_that_of_the_later_stage():
    job = imported(kept_again()).job
    assert [item.bytes for item in job.stage_by_name["stage-1"].reads] == [500]
    assert exchange(job, "stage-2", "stage-1").bytes == 500


def test_files_that_a_stage_reads_beside_what_was_kept_stay_files_and_it_is_said():
    trace = import_spark_log(kept_and_files().lines(), "log")
    assert [item.bytes for item in trace.jobs[0].job.stage_by_name["stage-1"].reads] == [2000]
    assert trace.notes == (
        "stage 1 reads files and what was kept in memory, and the log does not tell them apart: all of it is taken for "
        "files",
    )


def test_what_the_driver_gave_is_no_file():
    assert exchange(imported(kept_and_given()).job, "stage-1", "stage-0").bytes == 1000


def test_tasks_that_take_several_cores_are_fewer_at_a_time():
    log = word_count(executors=4, cores=8, **{"spark.task.cpus": "4"})
    job = imported(log).job
    assert (job.containers, job.slots_per_container, job.vcores) == (5, 2, 8)


def test_executors_of_a_resource_profile_have_its_memory_and_tasks():
    log = word_count(executors=0)
    amounts = {"memory": {"Amount": 2048}, "memoryOverhead": {"Amount": 384}}
    log.events[3:3] = [
        {
            "Event": "SparkListenerResourceProfileAdded",
            "Resource Profile Id": 1,
            "Executor Resource Requests": amounts,
            "Task Resource Requests": {"cpus": {"Amount": 3.0}},
        },
        *(
            {
                "Event": "SparkListenerExecutorAdded",
                "Executor ID": str(number),
                "Executor Info": {"Total Cores": 6, "Resource Profile Id": 1},
            }
            for number in range(2)
        ),
    ]
    job = imported(log).job
    assert (job.containers, job.slots_per_container, job.vcores, job.memory_mb) == (3, 2, 6, 2432)


@pytest.mark.parametrize("told", [True, False])
def test_a_stage_that_is_computed_again_comes_before_what_reads_it(told):
    job = import_spark_log(computed_again().lines(told), "log").jobs[0].job
    assert [stage_.name for stage_ in job.stages] == ["stage-0", "stage-1", "stage-2", "stage-3"]
    assert [exchange(job, "stage-2", "stage-0").bytes, exchange(job, "stage-3", "stage-2").bytes] == [200, 100]


def test_a_stage_whose_end_was_lost_comes_before_what_reads_it():
    trace = import_spark_log(end_of_a_stage_lost().lines(), "log")
    assert [stage_.name for stage_ in trace.jobs[0].job.stages] == ["stage-0", "stage-1"]
    assert trace.notes == ("stages 0 had not ended; their tasks so far are taken for all",)


def test_what_a_stage_kept_is_used_also_when_it_is_computed_again_later():
    job = imported(kept_by_one_that_is_computed_again()).job
    assert job.stage_by_name["stage-1"].inputs == (Exchange("stage-0", 600, 0.0, "forward", pipelined=False),)


def test_a_stage_that_is_described_nowhere_comes_after_nothing_and_it_is_said():
    trace = import_spark_log(described_nowhere().lines(), "log")
    assert trace.jobs[0].job.stages[0].exchanges == ()
    assert trace.notes == (
        "stages 0 had not ended; their tasks so far are taken for all",
        "stages 0 are described nowhere, as Spark lost these events; they come after nothing",
        "stages 0 belong to no job, as Spark lost these events; they wait for no earlier job",
    )


def test_events_that_spark_lost_are_said_and_the_rest_is_imported():
    trace = import_spark_log(dropped_start().lines(), "log")
    assert trace.notes == ("stages 0, 1 belong to no job, as Spark lost these events; they wait for no earlier job",)


def test_a_log_that_is_still_written_is_imported_as_far_as_it_goes():
    trace = import_spark_log(still_written().lines(), "log")
    assert trace.notes == (
        "the log ends before the application does; what came later is missing",
        "stages 1 had not ended; their tasks so far are taken for all",
    )
    assert import_spark_log(word_count().finished().lines(), "log").notes == ()


def test_stages_that_come_after_each_other_are_refused():
    log = Log()
    one, other = stage(0, [rdd(0)], [1]), stage(1, [rdd(1)], [0])
    log.job(0, one, other)
    log.ran(one, task(read=1))
    log.ran(other, task(read=1))
    with pytest.raises(TraceError, match=r"log: stages .* come after each other"):
        imported(log)


def test_what_a_failed_task_says_that_it_moved_and_kinds_of_events_that_are_unknown_are_passed_over():
    log = word_count()
    for metrics in ({}, None, {"Result Size": -1}):
        log.tasks(stage(0, [rdd(0)]), {**task(reason="TaskKilled"), "Task Metrics": metrics})
    log.events.insert(3, {"Event": "org.other.SparkListenerNews", "Stage ID": "?", "Inner": [{"Event": 3}]})
    assert imported(log).job == imported(word_count()).job


def broken(change):
    log = word_count()
    change(log)
    return log.lines()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["not json\n"], r"log: line 1: event is malformed \(JSON is malformed"),
        (['{"a": 1}\n'], "log: line 1: event .*missing required field `Event`.*; give the log"),
        ([f'{{"Event": {"9" * 5000}}}\n'], "log: line 1: event is malformed"),
        ([f'{{"Event": {"[" * 100_000}\n'], "log: line 1: event is malformed"),
        ([], "no task succeeded"),
        (
            broken(lambda log: log.events[6]["Task Metrics"].pop("Input Metrics")),
            "line 7: SparkListenerTaskEnd .*missing .*`Input Metrics`",
        ),
        (broken(lambda log: log.events[6].update({"Task Metrics": 3})), "line 7: .*malformed"),
        (
            broken(lambda log: log.events[6]["Task Metrics"]["Input Metrics"].update({"Bytes Read": -1})),
            r"line 7: .*`int` >= 0 - at `\$\.Input Metrics\.Bytes Read`",
        ),
        (
            broken(lambda log: log.events[6]["Task Info"].update({"Partition ID": 10**12})),
            r"line 7: .*`int` <= 999999 - at `\$\.Task Info\.Partition ID`",
        ),
        (['{"Event": "News", "inner": ' + "[" * 10**5], "line 1: event is malformed .*recursion"),
        (broken(lambda log: log.events[2].update({"Spark Properties": {"spark.executor.memory": "x"}})), "line 3"),
        (broken(lambda log: log.events[3]["Executor Info"].update({"Total Cores": 10**9})), "task slots each; at most"),
        (broken(lambda log: log.events.__delitem__(slice(6, 9))), "reads the shuffle of stage 0"),
    ],
)
def test_bad_logs_are_refused_with_the_line_and_a_remedy(lines, said):
    with pytest.raises(TraceError, match=said) as error:
        import_spark_log(lines, "log")
    assert "\n" not in str(error.value)
    assert ";" in str(error.value)


OTHERS: tuple[Any, ...] = (None, "x", -1, 2, 2**64, 0.5, float("inf"), True, [], {}, [[]], ["x"], [None], {"x": None})


def places(value, path=()):
    if path:
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


@pytest.mark.parametrize("name", LOGS)
def test_a_value_of_another_type_is_refused_or_read(name):
    events: list[Any] = LOGS[name]().events
    seen = set()
    for number, event in enumerate(events):
        for path in places(event):
            kind = (event["Event"], tuple(part for part in path if isinstance(part, str)))
            for other in OTHERS if kind not in seen else ():
                changed: Any = copy.deepcopy(event)
                functools.reduce(operator.getitem, path[:-1], changed)[path[-1]] = other
                lines = (json.dumps(one) + "\n" for one in (*events[:number], changed, *events[number + 1 :]))
                with contextlib.suppress(TraceError):
                    import_spark_log(lines, "log")
            seen.add(kind)
