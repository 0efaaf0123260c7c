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
    assert scan.reads == (Read("word-count/input-0", 4000, 0.5),)
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
