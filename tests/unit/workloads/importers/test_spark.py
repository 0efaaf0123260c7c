import pytest

from tests.unit.workloads.importers.spark_events import Log, rdd, stage, task
from workloads.importers.spark import import_spark_log
from workloads.importers.trace import TraceError
from workloads.job import Exchange, Read


def imported(log):
    return import_spark_log(log.lines(), "log").jobs[0]


def exchange(job, name, source):
    return next(item for item in job.stage_by_name[name].exchanges if item.source == source)


def word_count(**options):
    """Two maps of 1000 and 3000 bytes, a shuffle of 700 to two reducers, a result of 50."""
    log = Log(**options)
    scan = stage(0, [rdd(1, 0), rdd(0)])
    count = stage(1, [rdd(3, 2), rdd(2, 1)], [0])
    log.job(0, scan, count)
    log.ran(scan, task(read=1000, sent=300, cpu_ms=200), task(read=3000, sent=400, cpu_ms=300))
    log.ran(
        count,
        task(remote=100, local=400, written=20, cpu_ms=1000),
        task(remote=150, local=50, written=30, cpu_ms=500),
    )
    log.end(0)
    return log


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
    log = word_count()
    failed = {**task(read=9999, reason="ExceptionFailure"), "Stage ID": 0, "Task Info": {"Index": 0}}
    again = {**task(read=1500), "Stage ID": 0, "Task Info": {"Index": 0, "Executor ID": "1"}}
    log.events[6:6] = [failed]
    log.events.append(again)
    assert imported(log).job.input_bytes == 4500


def test_what_two_shuffles_bring_is_divided_by_what_their_sources_wrote():
    log = Log()
    left, right, join = (
        stage(0, [rdd(0)]),
        stage(1, [rdd(1)]),
        stage(2, [rdd(4, 2, 3), rdd(2, 0), rdd(3, 1)], [0, 1]),
    )
    log.job(0, left, right, join)
    log.ran(left, task(read=100, sent=10))
    log.ran(right, task(read=300, sent=30))
    log.ran(join, task(remote=41))
    job = imported(log).job
    sizes = [exchange(job, "stage-2", source).bytes for source in ("stage-0", "stage-1")]
    assert sizes == [10, 31]
    assert exchange(job, "stage-2", "stage-0").shares == (41,)


def test_a_skipped_stage_stands_for_the_one_that_ran_before():
    log = word_count()
    skipped, again = stage(2, [rdd(1, 0), rdd(0)]), stage(3, [rdd(3, 2), rdd(2, 1)], [2])
    log.job(1, skipped, again)
    log.ran(again, task(remote=300), task(local=400))
    job = imported(log).job
    assert exchange(job, "stage-3", "stage-0").bytes == 700
    assert exchange(job, "stage-3", "stage-1") == Exchange("stage-1", 0, 0.0, "forward", pipelined=False)


def test_what_a_task_kept_is_forwarded_and_shuffles_behind_it_are_not_read_again():
    log = Log()
    scan = stage(0, [rdd(0)])
    keep = stage(1, [rdd(2, 1, kept=True), rdd(1, 0)], [0])
    use = stage(3, [rdd(3, 2), rdd(2, 1, kept=True), rdd(1, 0)], [2])
    log.job(0, scan, keep)
    log.ran(scan, task(read=500, sent=200))
    log.ran(keep, task(local=200))
    log.end(0)
    log.job(1, stage(2, [rdd(0)]), use)
    log.ran(use, task(read=150, cpu_ms=1000))
    job = imported(log).job
    assert job.stage_by_name["stage-3"].inputs == (Exchange("stage-1", 150, 1.0, "forward", pipelined=False),)
    assert job.input_bytes == 500


def test_a_broadcast_goes_from_the_stage_that_returned_it_to_the_one_that_joins_with_it():
    log = Log()
    small, join = stage(0, [rdd(0)]), stage(1, [rdd(1)])

    def node(name, accumulator, *children):
        return {"nodeName": name, "metrics": [{"accumulatorId": accumulator}], "children": list(children)}

    plan = node("BroadcastHashJoin", 1, node("Scan", 2), node("BroadcastExchange", 3, node("Scan", 4)))
    log.events.append(
        {"Event": "org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart", "sparkPlanInfo": plan}
    )
    log.job(0, small)
    log.ran(small, task(read=100, returned=60), task(read=100, returned=40), accumulators=[4])
    log.end(0)
    log.job(1, join)
    log.ran(join, task(read=1000), accumulators=[1, 2])
    job = imported(log).job
    assert [(item.kind, item.bytes) for item in job.stage_by_name["stage-1"].exchanges] == [("broadcast", 100)]
    assert job.stage_by_name["stage-1"].reads[0].bytes == 1000


def test_a_stage_that_makes_its_data_reads_as_much_as_it_passes_on():
    log = Log()
    make, total = stage(0, [rdd(0)]), stage(1, [rdd(1, 0)], [0])
    log.job(0, make, total)
    log.ran(make, task(sent=500))
    log.ran(total, task(remote=500))
    found = imported(log)
    assert found.job.input_bytes == 500
    assert "pass on: stage-0" in found.provenance


def sums(log):
    """By stage what the successful tasks of a log read, shuffled, wrote and computed, each partition counted once."""
    by_partition = {}
    for event in log.events:
        if event["Event"].endswith("TaskEnd") and event["Task End Reason"]["Reason"] == "Success":
            info = event["Task Info"]
            by_partition[event["Stage ID"], info.get("Partition ID", info["Index"])] = event["Task Metrics"]
    found: dict[str, list[float]] = {}
    for (stage_id, _), metrics in by_partition.items():
        shuffled = metrics["Shuffle Read Metrics"]
        cpu_ns = metrics["Executor CPU Time"] + metrics["Executor Deserialize CPU Time"]
        figures = (
            metrics["Input Metrics"]["Bytes Read"],
            shuffled["Remote Bytes Read"] + shuffled["Local Bytes Read"],
            metrics["Output Metrics"]["Bytes Written"],
            cpu_ns / 1e9,
        )
        found[f"stage-{stage_id}"] = [
            a + b for a, b in zip(found.get(f"stage-{stage_id}", [0] * 4), figures, strict=True)
        ]
    return found


def volumes(job):
    """The same of an imported job; what a stage takes from another's memory is read."""
    found = {}
    for stage_ in job.stages:
        forwarded = sum(item.bytes for item in stage_.exchanges if item.kind == "forward")
        shuffled = sum(item.bytes for item in stage_.exchanges if item.kind == "repartition")
        read = sum(item.bytes for item in stage_.reads) + forwarded
        found[stage_.name] = [read, shuffled, stage_.write_bytes, pytest.approx(stage_.cpu_s)]
    return found


def test_every_stage_has_the_volumes_of_its_tasks():
    assert volumes(imported(word_count()).job) == sums(word_count())


def test_what_was_given_up_in_memory_is_read_from_its_file_again():
    log = Log()
    first = stage(0, [rdd(1, 0, kept=True), rdd(0)])
    second = stage(1, [rdd(1, 0), rdd(0)])
    log.job(0, first)
    log.ran(first, task(read=500), task(read=500))
    log.end(0)
    log.unpersisted(1)
    log.job(1, second)
    log.ran(second, task(read=500), task(read=500))
    log.end(1)
    job = imported(log).job
    assert job.input_bytes == 2000
    assert volumes(job) == sums(log)


def test_what_is_kept_again_after_it_was_given_up_is_that_of_the_later_stage():
    log = Log()
    for number in range(3):
        log.job(number, stage(number, [rdd(1, 0, kept=True), rdd(0)]))
        log.ran(stage(number, [rdd(1, 0, kept=True), rdd(0)]), task(read=500))
        log.end(number)
        if number == 0:
            log.unpersisted(1)
    job = imported(log).job
    assert [item.bytes for item in job.stage_by_name["stage-1"].reads] == [500]
    assert exchange(job, "stage-2", "stage-1").bytes == 500


def test_files_that_a_stage_reads_beside_what_was_kept_stay_files_and_it_is_said():
    log = Log()
    keep = stage(0, [rdd(1, 0, kept=True), rdd(0)])
    union = stage(1, [rdd(4, 1, 3), rdd(1, 0, kept=True), rdd(0), rdd(3, 2), rdd(2)])
    log.job(0, keep)
    log.ran(keep, task(read=1000))
    log.end(0)
    log.job(1, union)
    log.ran(union, task(read=1000), task(read=1000))
    log.end(1)
    trace = import_spark_log(log.finished().lines(), "log")
    assert volumes(trace.jobs[0].job) == sums(log)
    assert [item.bytes for item in trace.jobs[0].job.stage_by_name["stage-1"].reads] == [2000]
    assert trace.notes == (
        "stage 1 reads files and what was kept in memory, and the log does not tell them apart: all of it is taken for "
        "files",
    )


def test_what_the_driver_gave_is_no_file():
    log = Log()
    keep = stage(0, [rdd(1, 0, kept=True), rdd(0)])
    union = stage(1, [rdd(4, 1, 2), rdd(1, 0, kept=True), rdd(0), rdd(2, name="ParallelCollectionRDD")])
    log.job(0, keep)
    log.ran(keep, task(read=1000))
    log.job(1, union)
    log.ran(union, task(read=1000))
    assert exchange(imported(log).job, "stage-1", "stage-0").bytes == 1000


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


def retried(**partitions):
    """A map stage is computed again, in part, after a stage that read its shuffle had ended."""
    log = Log()
    scan, first = stage(0, [rdd(1, 0), rdd(0)]), stage(1, [rdd(3, 2), rdd(2, 1)], [0])
    second, last = stage(2, [rdd(5, 4), rdd(4, 1)], [0]), stage(3, [rdd(7, 6), rdd(6, 3, 5)], [1, 2])
    log.job(0, scan, first, second, last)
    both = {"partitions": [0, 1]} if partitions else {}
    log.ran(scan, task(read=200, sent=100), task(read=300, sent=100), **both)
    log.ran(first, task(remote=100, sent=50), task(remote=100, sent=50), **both)
    log.tasks(second, task(remote=100, sent=50), task(reason="FetchFailed"), **both)
    again = {"partitions": [1]} if partitions else {}
    log.ran(scan, task(read=300, sent=100), attempt=1, **again)
    log.ran(second, task(remote=100, sent=50), attempt=1, **again)
    log.ran(last, task(remote=100), task(remote=100), **both)
    log.end(0)
    return log


def test_a_stage_that_is_computed_again_counts_once_and_comes_before_what_reads_it():
    log = retried(told=True)
    job = imported(log).job
    assert volumes(job) == sums(log)
    assert job.input_bytes == 500
    assert [stage_.name for stage_ in job.stages] == ["stage-0", "stage-1", "stage-2", "stage-3"]


def test_before_spark_3_3_a_later_attempt_computes_what_is_missing():
    job = imported(retried()).job
    assert [exchange(job, "stage-2", "stage-0").bytes, exchange(job, "stage-3", "stage-2").bytes] == [200, 100]
    assert [stage_.name for stage_ in job.stages] == ["stage-0", "stage-1", "stage-2", "stage-3"]


def test_events_that_spark_lost_are_said_and_the_rest_is_imported():
    log = word_count().finished()
    (start,) = [event for event in log.events if event["Event"].endswith("JobStart")]
    log.events.remove(start)
    log.submitted(start["Stage Infos"][0])
    trace = import_spark_log(log.lines(), "log")
    assert volumes(trace.jobs[0].job) == sums(log)
    assert trace.notes == ("stages 0, 1 belong to no job, as Spark lost these events; they wait for no earlier job",)


def test_a_log_that_is_still_written_is_imported_as_far_as_it_goes():
    log = word_count()
    del log.events[-2:]  # the end of the second stage, and of the job
    trace = import_spark_log(log.lines(), "log")
    assert volumes(trace.jobs[0].job) == sums(log)
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


def broken(change):
    log = word_count()
    change(log)
    return log.lines()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["not json\n"], "log: line 1: not JSON"),
        (['{"a": 1}\n'], "log: line 1: no Event"),
        ([], "no task succeeded"),
        (broken(lambda log: log.events[6]["Task Metrics"].pop("Input Metrics")), "line 7: .*lacks 'Input Metrics'"),
        (broken(lambda log: log.events[6].update({"Task Metrics": 3})), "line 7: .*malformed"),
        (broken(lambda log: log.events[2].update({"Spark Properties": {"spark.executor.memory": "x"}})), "line 3"),
        (broken(lambda log: log.events.__delitem__(slice(6, 9))), "reads the shuffle of stage 0"),
    ],
)
def test_bad_logs_are_refused_with_the_line_and_a_remedy(lines, said):
    with pytest.raises(TraceError, match=said) as error:
        import_spark_log(lines, "log")
    assert "\n" not in str(error.value)
    assert ";" in str(error.value)
