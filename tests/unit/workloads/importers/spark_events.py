"""Small Spark event logs, built event by event."""

import json


class Log:
    """Collects events; times count up by themselves."""

    def __init__(self, executors=2, cores=2, memory="2g", **properties):
        self.now = 0
        self.events = [
            {"Event": "SparkListenerLogStart", "Spark Version": "3.5.0"},
            {"Event": "SparkListenerApplicationStart", "App Name": "word count", "Timestamp": 0},
            {
                "Event": "SparkListenerEnvironmentUpdate",
                "Spark Properties": {"spark.executor.memory": memory, **properties},
            },
        ]
        for number in range(executors):
            info = {"Host": f"n{number}", "Total Cores": cores}
            self.events.append(
                {"Event": "SparkListenerExecutorAdded", "Executor ID": str(number), "Executor Info": info}
            )

    def tick(self):
        self.now += 10
        return self.now

    def job(self, job_id, *stages):
        """Starts a job of (described) stages; `end` ends it."""
        self.events.append(
            {
                "Event": "SparkListenerJobStart",
                "Job ID": job_id,
                "Submission Time": self.tick(),
                "Stage Infos": list(stages),
                "Stage IDs": [stage["Stage ID"] for stage in stages],
            }
        )

    def end(self, job_id):
        self.events.append({"Event": "SparkListenerJobEnd", "Job ID": job_id, "Completion Time": self.tick()})

    def tasks(self, stage, *tasks, attempt=0, partitions=None):
        """Tasks of an attempt of a stage, which compute these partitions, or else the first ones.

        The first attempt's have the index of their partition, those of later ones count from 0.
        """
        place = {"Stage ID": stage["Stage ID"], "Stage Attempt ID": attempt}
        for number, (one, partition) in enumerate(zip(tasks, partitions or range(len(tasks)), strict=True)):
            index = number if attempt else partition
            info = {"Index": index, "Partition ID": partition, "Executor ID": one.get("executor", str(index % 2))}
            self.events.append({**one, **place, "Task Info": info})

    def ran(self, stage, *tasks, accumulators=(), attempt=0, partitions=None):
        """A stage that ran, with a task a partition."""
        self.tasks(stage, *tasks, attempt=attempt, partitions=partitions)
        info = {**stage, "Completion Time": self.tick(), "Accumulables": [{"ID": key} for key in accumulators]}
        self.events.append({"Event": "SparkListenerStageCompleted", "Stage Info": info})

    def unpersisted(self, rdd_id):
        self.events.append({"Event": "SparkListenerUnpersistRDD", "RDD ID": rdd_id})

    def submitted(self, stage, attempt=0):
        info = {**stage, "Stage Attempt ID": attempt}
        self.events.append({"Event": "SparkListenerStageSubmitted", "Stage Info": info})

    def finished(self):
        self.events.append({"Event": "SparkListenerApplicationEnd", "Timestamp": self.tick()})
        return self

    def lines(self, tells_partitions=True):
        """The log as it is written, with the partitions of tasks as Spark tells them since 3.3, or without.

        A program that writes an older log again says -1 for partitions that it does not know.
        """
        return [
            json.dumps(event if tells_partitions is True else _without_partition(event, tells_partitions)) + "\n"
            for event in self.events
        ]


def _without_partition(event, unknown):
    if "Task Info" not in event:
        return event
    info = {key: value for key, value in event["Task Info"].items() if key != "Partition ID"}
    return {**event, "Task Info": info | ({"Partition ID": unknown} if unknown else {})}


def rdd(rdd_id, *parents, kept=False, name="MapPartitionsRDD"):
    level = {"Use Disk": False, "Use Memory": kept}
    return {"RDD ID": rdd_id, "Name": name, "Parent IDs": list(parents), "Storage Level": level}


def stage(stage_id, rdds, parents=(), tasks=2):
    told = {"Stage ID": stage_id, "Stage Name": f"s{stage_id}", "Number of Tasks": tasks}
    return {**told, "RDD Info": rdds, "Parent IDs": list(parents)}


def task(read=0, remote=0, local=0, sent=0, written=0, returned=0, cpu_ms=0, reason="Success"):
    return {
        "Event": "SparkListenerTaskEnd",
        "Task End Reason": {"Reason": reason},
        "Task Metrics": {
            "Executor CPU Time": cpu_ms * 900_000,
            "Executor Deserialize CPU Time": cpu_ms * 100_000,
            "Result Size": returned,
            "Input Metrics": {"Bytes Read": read},
            "Output Metrics": {"Bytes Written": written},
            "Shuffle Read Metrics": {"Remote Bytes Read": remote, "Local Bytes Read": local},
            "Shuffle Write Metrics": {"Shuffle Bytes Written": sent},
        },
    }
