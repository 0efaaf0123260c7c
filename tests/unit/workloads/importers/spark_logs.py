"""The Spark event logs of the tests, by name: one for each thing that an application may do."""

from collections.abc import Callable

from tests.unit.workloads.importers.spark_events import Log, rdd, stage, task

LOGS: dict[str, Callable[..., Log]] = {}


def _named(make):
    LOGS[make.__name__] = make
    return make


@_named
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


@_named
def tasks_again():
    """A task fails, succeeds, and is computed once more."""
    log = word_count()
    scan = stage(0, [rdd(1, 0), rdd(0)])
    log.tasks(scan, task(read=9999, reason="ExceptionFailure"))
    log.tasks(scan, task(read=1500, sent=300, cpu_ms=100))
    return log


@_named
def map_of_the_empty():
    """One of three maps finds nothing to read."""
    log = Log()
    scan, count = stage(0, [rdd(0)], tasks=3), stage(1, [rdd(1, 0)], [0])
    log.job(0, scan, count)
    log.ran(scan, task(read=100, sent=10), task(), task(read=200, sent=20))
    log.ran(count, task(remote=30))
    log.end(0)
    return log


@_named
def two_shuffles():
    log = Log()
    left, right = stage(0, [rdd(0)]), stage(1, [rdd(1)])
    join = stage(2, [rdd(4, 2, 3), rdd(2, 0), rdd(3, 1)], [0, 1])
    log.job(0, left, right, join)
    log.ran(left, task(read=100, sent=10))
    log.ran(right, task(read=300, sent=30))
    log.ran(join, task(remote=40))
    return log


@_named
def skipped_stage():
    """A second job reads again what the first one shuffled."""
    log = word_count()
    skipped, again = stage(2, [rdd(1, 0), rdd(0)]), stage(3, [rdd(3, 2), rdd(2, 1)], [2])
    log.job(1, skipped, again)
    log.ran(again, task(remote=300), task(local=400))
    return log


@_named
def kept():
    """What a stage keeps is used by another; the shuffle behind it is not read again."""
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
    return log


@_named
def kept_and_shuffled():
    """A stage reads what another one keeps, and what the same one shuffled of it."""
    log = Log()
    keep = stage(0, [rdd(2, 1), rdd(1, 0, kept=True), rdd(0)])
    union = stage(1, [rdd(4, 3, 1), rdd(3, 2), rdd(1, 0, kept=True), rdd(0)], [0])
    log.job(0, keep, union)
    log.ran(keep, task(read=600, sent=100), task(read=400, sent=100))
    log.ran(union, task(remote=100), task(local=100), task(read=300), task(read=200))
    log.end(0)
    return log


@_named
def broadcast():
    """Two tasks return 60 and 40 bytes to the driver, which sends them to those that join with them."""
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
    return log


@_named
def made_by_itself():
    log = Log()
    make, total = stage(0, [rdd(0)]), stage(1, [rdd(1, 0)], [0])
    log.job(0, make, total)
    log.ran(make, task(sent=500), task(sent=100), task(sent=200))
    log.ran(total, task(remote=800))
    return log


@_named
def made_and_written():
    log = Log()
    make = stage(0, [rdd(0)], tasks=3)
    log.job(0, make)
    log.ran(make, task(written=50), task(written=60), task(written=70))
    log.end(0)
    return log


@_named
def unpersisted():
    """What was kept is given up, and its file is read again."""
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
    return log


@_named
def kept_again():
    """Of three stages that read one file the first gives up what it kept."""
    log = Log()
    for number in range(3):
        log.job(number, stage(number, [rdd(1, 0, kept=True), rdd(0)]))
        log.ran(stage(number, [rdd(1, 0, kept=True), rdd(0)]), task(read=500))
        log.end(number)
        if number == 0:
            log.unpersisted(1)
    return log


@_named
def kept_and_files():
    """A stage reads what was kept, and a file beside it."""
    log = Log()
    keep = stage(0, [rdd(1, 0, kept=True), rdd(0)])
    union = stage(1, [rdd(4, 1, 3), rdd(1, 0, kept=True), rdd(0), rdd(3, 2), rdd(2)])
    log.job(0, keep)
    log.ran(keep, task(read=1000))
    log.end(0)
    log.job(1, union)
    log.ran(union, task(read=1000), task(read=1000))
    log.end(1)
    return log.finished()


@_named
def kept_and_given():
    """A stage reads what was kept, and beside it what the driver gave."""
    log = Log()
    keep = stage(0, [rdd(1, 0, kept=True), rdd(0)])
    union = stage(1, [rdd(4, 1, 2), rdd(1, 0, kept=True), rdd(0), rdd(2, name="ParallelCollectionRDD")])
    log.job(0, keep)
    log.ran(keep, task(read=1000))
    log.job(1, union)
    log.ran(union, task(read=1000))
    return log


@_named
def computed_again():
    """A map stage is computed again, in part, after a stage that read its shuffle had ended."""
    log = Log()
    scan, first = stage(0, [rdd(1, 0), rdd(0)]), stage(1, [rdd(3, 2), rdd(2, 1)], [0])
    second, last = stage(2, [rdd(5, 4), rdd(4, 1)], [0]), stage(3, [rdd(7, 6), rdd(6, 3, 5)], [1, 2])
    log.job(0, scan, first, second, last)
    log.ran(scan, task(read=200, sent=100), task(read=300, sent=100))
    log.ran(first, task(remote=100, sent=50), task(remote=100, sent=50))
    log.tasks(second, task(remote=100, sent=50), task(reason="FetchFailed"))
    log.ran(scan, task(read=300, sent=100), attempt=1, partitions=[1])
    log.ran(second, task(remote=100, sent=50), attempt=1, partitions=[1])
    log.ran(last, task(remote=100), task(remote=100))
    log.end(0)
    return log


@_named
def kept_by_one_that_is_computed_again():
    """A map stage is computed again, in part, after another stage had used what it keeps."""
    log = Log()
    keep, use = stage(0, [rdd(1, 0, kept=True), rdd(0)]), stage(1, [rdd(2, 1), rdd(1, 0, kept=True), rdd(0)])
    count = stage(2, [rdd(3, 1)], [0])
    log.job(0, keep, use, count)
    log.ran(keep, task(read=500, sent=100), task(read=500, sent=100))
    log.ran(use, task(read=300), task(read=300))
    log.ran(keep, task(read=500, sent=100), attempt=1, partitions=[1])
    log.ran(count, task(remote=100), task(remote=100))
    log.end(0)
    return log


@_named
def end_of_a_stage_lost():
    """Spark lost the event that says that the first stage ended."""
    log = word_count().finished()
    log.events.remove(next(event for event in log.events if event["Event"].endswith("StageCompleted")))
    return log


@_named
def stragglers():
    """Tasks of a stage's first attempt end while the second one computes their partitions again."""
    log = Log()
    scan, count = stage(0, [rdd(0)]), stage(1, [rdd(1, 0)], [0], tasks=4)
    log.job(0, scan, count)
    log.submitted(scan)
    log.ran(scan, task(read=400, sent=100))
    log.submitted(count)
    log.tasks(count, task(remote=10, written=1), task(reason="FetchFailed"))
    log.submitted(count, attempt=1)
    log.tasks(count, task(remote=41, written=4), partitions=[3])
    again = [task(remote=20, written=2), task(remote=30, written=3), task(remote=40, written=4)]
    log.tasks(count, *again, attempt=1, partitions=[1, 2, 3])
    log.tasks(count, task(remote=31, written=3), partitions=[2])
    log.ran(count, attempt=1)
    log.end(0)
    return log


@_named
def dropped_start():
    """Spark lost the event that says that the job starts."""
    log = word_count().finished()
    (start,) = [event for event in log.events if event["Event"].endswith("JobStart")]
    log.events.remove(start)
    log.submitted(start["Stage Infos"][0])
    return log


@_named
def described_nowhere():
    """Spark lost all events that describe the only stage."""
    log = Log()
    log.tasks(stage(0, []), task(read=1000, written=10, cpu_ms=100), task(read=3000, written=20, cpu_ms=200))
    return log.finished()


@_named
def still_written():
    """The end of the second stage is missing, and that of the job."""
    log = word_count()
    del log.events[-2:]
    return log
