import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.importers.mremu import import_hadoop_job
from workloads.importers.trace import TraceError


def trace(quoted=False):
    """Three maps on two hosts with two map slots each, two reducers; the second attempt of a map was in vain."""
    number = str if quoted else (lambda value: value)

    def map_task(index, host, start, finish, attempt=0):
        name = f"attempt_7_m_{index:06}_{attempt}"
        return {
            "name": name,
            "host": host,
            "type": "MAP",
            "startTime": number(start),
            "finishTime": number(finish),
        }

    def reducer(index, host, shuffled, finish):
        times = {"startTime": 12, "shuffleFinished": number(shuffled), "finishTime": number(finish)}
        return {"name": f"attempt_7_r_{index:06}_0", "host": host, "type": "REDUCE", **times}

    tasks = [
        {"name": "setup", "host": "n1", "type": "SETUP", "startTime": 9, "finishTime": 10},
        map_task(0, "n1", 10, 14),
        map_task(0, "n2", 10, 13, attempt=1),
        map_task(1, "n1", 10, 15),
        map_task(2, "n2", 10, 16),
        reducer(0, "n1", 20, 22.5),
        reducer(1, "n2", 24, 30),
    ]
    transfers = [
        {
            "mapper": f"attempt_7_m_{m:06}_0",
            "reducer": f"attempt_7_r_{r:06}_0",
            "size": number(1000 * (r + 1) + m),
            "startTime": number(16.5 + m),
            "finishTime": number(20.5 + 2 * r),
        }
        for m in range(3)
        for r in range(2)
    ]
    config = {"numMapSlots": number(2), "numReduceSlots": number(1)}
    times = {"submitTime": number(8.5), "startTime": 9, "finishTime": number(31.0)}
    counts = {"numMaps": number(3), "numReduces": number(2)}
    return {"name": "job_7", "config": config, **counts, **times, "tasks": tasks, "transfers": transfers}


def imported(document):
    return import_hadoop_job(json.dumps(document), "trace")


@pytest.mark.parametrize("quoted", [False, True])
def test_the_transfers_and_durations_are_conserved(quoted):
    document = trace(quoted)
    job = imported(document).jobs[0].job
    total = sum(int(transfer["size"]) for transfer in document["transfers"])
    scan, shuffle, reduce = job.stages
    assert total == 9006
    assert scan.reads[0].bytes == shuffle.exchanges[0].bytes == total
    assert scan.cpu_s == pytest.approx(4 + 5 + 6)
    assert reduce.cpu_s == pytest.approx(2.5 + 6)


@st.composite
def traces(draw):
    """Tasks in up to three attempts, and transfers between any of them."""
    document = trace()
    document["tasks"], document["transfers"] = [], []
    names: dict[str, list[str]] = {"m": [], "r": []}
    for kind, letter, began in (("MAP", "m", "startTime"), ("REDUCE", "r", "shuffleFinished")):
        for index in range(draw(st.integers(1, 3))):
            for attempt in range(draw(st.integers(1, 3))):
                name, start = f"attempt_7_{letter}_{index:06}_{attempt}", draw(st.integers(0, 50))
                names[letter].append(name)
                times = {began: start, "finishTime": start + draw(st.integers(0, 50))}
                document["tasks"].append({"name": name, "host": f"n{attempt}", "type": kind, **times})
    pairs = st.tuples(st.sampled_from(names["m"]), st.sampled_from(names["r"]), st.integers(1000, 10**9))
    for mapper, reducer, size in draw(st.lists(pairs, min_size=1, max_size=8)):
        document["transfers"].append({"mapper": mapper, "reducer": reducer, "size": size})
    return document


def of_each_task(document, kind, role):
    """The attempt of each task that counts: the first to finish of those with transfers, or of all without such."""
    used = {transfer[role] for transfer in document["transfers"]}
    by_task: dict[str, list[dict[str, Any]]] = {}
    for task in document["tasks"]:
        if task["type"] == kind:
            by_task.setdefault(task["name"].rpartition("_")[0], []).append(task)
    chosen = [
        min([one for one in tasks if one["name"] in used] or tasks, key=lambda one: one["finishTime"])
        for tasks in by_task.values()
    ]
    return {one["name"]: one for one in chosen}


@given(traces())
def test_each_task_counts_once_and_what_its_reducers_got(document):
    maps, reducers = of_each_task(document, "MAP", "mapper"), of_each_task(document, "REDUCE", "reducer")
    document |= {"numMaps": len(maps), "numReduces": len(reducers)}
    scan, shuffle, reduce = imported(document).jobs[0].job.stages
    moved = sum(item["size"] for item in document["transfers"] if item["reducer"] in reducers)
    assert scan.reads[0].bytes == shuffle.exchanges[0].bytes == moved
    assert scan.cpu_s == pytest.approx(sum(one["finishTime"] - one["startTime"] for one in maps.values()))
    assert reduce.cpu_s == pytest.approx(sum(one["finishTime"] - one["shuffleFinished"] for one in reducers.values()))
    assert -(-moved // (scan.reads[0].block_bytes or 0)) == len(maps)


def test_set_up_and_clean_up_that_are_listed_as_maps_are_left_out():
    document = trace()
    document["tasks"].append({**document["tasks"][0], "type": "MAP", "name": "attempt_7_m_000004_0"})
    assert imported(document).jobs == imported(trace()).jobs


def test_maps_that_pass_nothing_on_count_as_long_as_they_are_announced():
    document = trace()
    document["transfers"] = [item for item in document["transfers"] if "m_000002" not in item["mapper"]]
    assert imported(document).jobs[0].job.stages[0].cpu_s == pytest.approx(4 + 5 + 6)


def test_reducers_are_dealt_out_to_the_task_trackers_with_what_they_got():
    job = imported(trace()).jobs[0].job
    assert (job.containers, job.slots_per_container, job.tasks) == (3, 2, 4)
    assert job.stages[1].exchanges[0].shares == (3003, 0, 6003)
    assert job.stages[2].exchanges[0].shares == (2.5, 0, 6)


@pytest.mark.parametrize(("begins", "waits"), [(16.0, True), (15.9, False), (None, False)])
def test_the_shuffle_waits_for_the_last_map_if_it_did(begins, waits):
    document = trace()
    document["transfers"][0]["startTime"] = begins
    if begins is None:
        del document["transfers"][0]["startTime"]
    assert imported(document).jobs[0].job.stages[1].exchanges[0].pipelined is not waits


def test_the_cluster_has_one_task_tracker_a_host():
    cluster = imported(trace()).cluster
    assert cluster["topology"]["parameters"]["hosts"] == 3
    assert cluster["node"]["slots"] == 1


def test_the_input_has_a_block_for_each_map_that_counts():
    (read,) = imported(trace()).jobs[0].job.reads
    assert -(-read.bytes // (read.block_bytes or 0)) == 3


def test_it_is_said_where_tasks_ran_and_how_long_the_job_and_its_stages_took():
    provenance, recorded = imported(trace()).jobs[0].provenance, imported(trace()).jobs[0].recorded
    assert "22.5 s from submission to end; maps 6.0 s, transfers 6.0 s, " in recorded
    assert "longest reducer after its shuffle 6.0 s." in recorded
    assert "maps n1 2, n2 1; reducers n1 1, n2 1" in provenance


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("tasks"), "trace: trace .*missing .*`tasks`"),
        (lambda d: d.update(tasks={}), r"got `object` - at `\$\.tasks`"),
        (lambda d: d["tasks"].append(3), r"trace: tasks\[7\]: task .*got `int`"),
        (lambda d: d["transfers"][2].pop("size"), r"missing .*`size` - at `\$\.transfers\[2\]`"),
        (lambda d: d["transfers"][2].update(size="x"), r"got `str` - at `\$\.transfers\[2\]\.size`"),
        (lambda d: d["transfers"][2].update(size=-1), r">= 0 - at `\$\.transfers\[2\]\.size`"),
        (lambda d: d["transfers"][2].update(startTime="soon"), r"got `str` - at `\$\.transfers\[2\]\.startTime`"),
        (lambda d: d["transfers"][2].update(size=1.5), r"Expected `int`.* - at `\$\.transfers\[2\]\.size`"),
        (lambda d: d["transfers"][2].update(mapper="m9"), "mapper 'm9' is not among the tasks"),
        (lambda d: d.pop("numMaps"), "missing .*`numMaps`"),
        (lambda d: d["config"].update(numMapSlots=0), r">= 1 - at `\$\.config\.numMapSlots`"),
        (lambda d: d["tasks"][1].update(finishTime=1), r"tasks\[1\]: .*finishTime 1.* is before 10"),
        (lambda d: d["tasks"][5].pop("shuffleFinished"), r"tasks\[5\]: .*missing .*`shuffleFinished`"),
        (lambda d: d.update(transfers=[]), "they move nothing"),
        (lambda d: d.update(transfers=[], numMaps=0, numReduces=0), "they move nothing"),
        (lambda d: d.update(tasks=d["tasks"][:5]), "none of type REDUCE"),
    ],
)
def test_bad_traces_are_refused_with_the_field_and_a_remedy(change, said):
    document = trace()
    change(document)
    with pytest.raises(TraceError, match=said) as error:
        imported(document)
    assert "\n" not in str(error.value)
    assert ";" in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", '{"name": "x"', "{}", "[" * 100_000, f'{{"tasks": [{"9" * 5000}]}}'])
def test_other_texts_are_refused(text):
    with pytest.raises(TraceError, match=r"^trace: "):
        import_hadoop_job(text, "trace")
