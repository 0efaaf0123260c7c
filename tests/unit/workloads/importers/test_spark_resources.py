"""What was asked for a Spark application, in all the ways in which one writes it."""

import msgspec
import pytest

from workloads.importers.spark_events import Properties, ResourceProfileAdded
from workloads.importers.spark_resources import Resources, of_profile, of_properties, size_bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4294967296b", 2**32),
        ("4g", 2**32),
        ("4G", 2**32),
        ("4gb", 2**32),
        ("512m", 2**29),
        ("1024", 2**30),
        (1024, 2**30),
        ("2k", 2048),
        ("1t", 2**40),
        ("1p", 2**50),
        (" 7 m ", 7 * 2**20),
    ],
)
def test_sizes(text, expected):
    assert size_bytes(text, 2**20) == expected


@pytest.mark.parametrize("text", ["", "x", "4q", "-1g", "1.5g", "4 4g", None])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match="is no size; write it as"):
        size_bytes(text, 1)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, Resources(1024, 1)),
        ({"spark.executor.memory": "4g", "spark.task.cpus": "4"}, Resources(4096, 4)),
        ({"spark.executor.memory": "4g", "spark.executor.memoryOverhead": "512"}, Resources(4608, 1)),
        ({"spark.executor.memory": "4g", "spark.yarn.executor.memoryOverhead": "512"}, Resources(4608, 1)),
        ({"spark.executor.memoryOverhead": "1g", "spark.yarn.executor.memoryOverhead": "512"}, Resources(2048, 1)),
        ({"spark.executor.memory": "1g", "spark.executor.pyspark.memory": "2g"}, Resources(3072, 1)),
        ({"spark.memory.offHeap.enabled": "true", "spark.memory.offHeap.size": "1073741824"}, Resources(2048, 1)),
        ({"spark.memory.offHeap.size": "1g"}, Resources(1024, 1)),
    ],
)
def test_properties(properties, expected):
    assert of_properties(msgspec.convert(properties, Properties)) == expected


@pytest.mark.parametrize("cpus", ["0", "-1", "x", "nan", "inf"])
def test_what_is_no_number_of_cores(cpus):
    with pytest.raises(ValueError):  # noqa: PT011 - float's own message, or ours
        of_properties(Properties(task_cpus=cpus))


def test_a_profile_has_its_own_memory_and_cores():
    def requests(**amounts):
        return {name.replace("_", "."): {"Resource Name": name, "Amount": amount} for name, amount in amounts.items()}

    def added(of_executor, of_task):
        asked = {"Executor Resource Requests": of_executor, "Task Resource Requests": of_task}
        return msgspec.convert({"Resource Profile Id": 1, **asked}, ResourceProfileAdded)

    of_executor = requests(cores=8, memory=2048, memoryOverhead=384, pyspark_memory=512, offHeap=1024)
    assert of_profile(added(of_executor, requests(cpus=2.0)), Resources()) == Resources(3968, 2)
    assert of_profile(added({}, {}), Resources(7, 3)) == Resources(7, 3)
