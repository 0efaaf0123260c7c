"""Small histories of Hadoop jobs, built event by event."""

import json

NAMES = "org.apache.hadoop.mapreduce.jobhistory."
COUNTERS = {
    "org.apache.hadoop.mapreduce.FileSystemCounter": ("HDFS_BYTES_READ", "HDFS_BYTES_WRITTEN", "FILE_BYTES_READ"),
    "org.apache.hadoop.mapreduce.TaskCounter": ("REDUCE_SHUFFLE_BYTES", "CPU_MILLISECONDS", "PHYSICAL_MEMORY_BYTES"),
    "mine.Checks": ("CHECKSUM",),
}


def _string(name):
    return {"name": name, "type": "string"}


def _record(name, *fields):
    return {"type": "record", "name": name, "fields": list(fields)}


def _times(*names):
    return [{"name": name, "type": "long"} for name in names]


_COUNTER = _record("JhCounter", _string("name"), _string("displayName"), *_times("value"))
_GROUP = _record("JhCounterGroup", _string("name"), {"name": "counts", "type": {"type": "array", "items": _COUNTER}})
_ALL = _record("JhCounters", _string("name"), {"name": "groups", "type": {"type": "array", "items": _GROUP}})
_IDS = (_string("taskid"), _string("attemptId"), _string("taskType"))
_OUTCOME = (_string("taskStatus"), _string("hostname"), {"name": "rackname", "type": ["null", "string"]})
_COUNTED = {"name": "counters", "type": ["null", "JhCounters"]}
_RECORDS = [
    _record("JobSubmitted", _string("jobid"), _string("jobName"), *_times("submitTime")),
    _record("JobInited", *_times("totalMaps", "totalReduces"), {"name": "uberized", "type": "boolean"}),
    _record("TaskAttemptStarted", *_IDS, *_times("startTime")),
    _record("MapAttemptFinished", *_IDS, *_OUTCOME, {**_COUNTED, "type": ["null", _ALL]}, *_times("finishTime")),
    _record("ReduceAttemptFinished", *_IDS, *_OUTCOME, _COUNTED, *_times("finishTime", "shuffleFinishTime")),
    _record("TaskAttemptUnsuccessfulCompletion", *_IDS, *_times("finishTime")),
    _record("TaskFinished", *_IDS[::2], {"name": "successfulAttemptId", "type": ["null", "string"]}, _COUNTED),
    _record("JobFinished", *_times("finishTime")),
    _record("JobUnsuccessfulCompletion", *_times("finishTime"), _string("jobStatus")),
]
_EVENT = {"name": "event", "type": _RECORDS}
SCHEMA = {**_record("Event", _string("type"), _EVENT), "namespace": NAMES.rstrip(".")}


class History:
    """Collects events. Values of unions stand bare, as in the first versions of Hadoop 2, or have their type's name."""

    def __init__(self, maps=2, reducers=0, bare=False, name="word count"):
        self.bare = bare
        self.events = []
        self.add("JOB_SUBMITTED", "JobSubmitted", jobid="job_7_0001", jobName=name, submitTime=1000)
        self.add("JOB_INITED", "JobInited", totalMaps=maps, totalReduces=reducers, uberized=False)

    def add(self, kind, record, **fields):
        self.events.append({"type": kind, "event": {NAMES + record: fields}})

    def union(self, kind, value):
        return value if self.bare or value is None else {kind: value}

    def attempt(self, kind, task, number=0, span=(2000, 3000), shuffled=2500, host="n1", status="SUCCEEDED", **volumes):
        """An attempt that began and ended; one of a status but SUCCEEDED moved nothing that counts."""
        ids = {"taskid": task_id(kind, task), "attemptId": attempt_id(kind, task, number), "taskType": kind}
        self.add(f"{kind}_ATTEMPT_STARTED", "TaskAttemptStarted", **ids, startTime=span[0])
        if status != "SUCCEEDED":
            self.add(f"{kind}_ATTEMPT_{status}", "TaskAttemptUnsuccessfulCompletion", **ids, finishTime=span[1])
            return
        times = {"finishTime": span[1]} | ({"shuffleFinishTime": shuffled} if kind == "REDUCE" else {})
        outcome = {"taskStatus": status, "hostname": host, "rackname": self.union("string", "/r1")}
        fields = {**ids, **outcome, **times, "counters": self.counters(volumes)}
        self.add(f"{kind}_ATTEMPT_FINISHED", f"{kind.title()}AttemptFinished", **fields)

    def finish(self, kind, task, number=0, **volumes):
        """The end of a task, by one of its attempts."""
        self.add(
            "TASK_FINISHED",
            "TaskFinished",
            taskid=task_id(kind, task),
            taskType=kind,
            successfulAttemptId=self.union("string", attempt_id(kind, task, number)),
            counters=self.counters(volumes),
        )

    def task(self, kind, task, number=0, span=(2000, 3000), shuffled=2500, host="n1", **volumes):
        """A task with an attempt that succeeds."""
        self.attempt(kind, task, number, span, shuffled, host, **volumes)
        self.finish(kind, task, number, **volumes)

    def end(self, status="SUCCEEDED"):
        if status == "SUCCEEDED":
            self.add("JOB_FINISHED", "JobFinished", finishTime=9000)
        else:
            self.add(f"JOB_{status}", "JobUnsuccessfulCompletion", finishTime=9000, jobStatus=status)
        return self

    def counters(self, volumes):
        groups = []
        for group, names in COUNTERS.items():
            counts = [{"name": name, "displayName": name, "value": volumes[name]} for name in names if name in volumes]
            groups.append({"name": group, "counts": counts})
        return self.union(f"{NAMES}JhCounters", {"name": "COUNTERS", "groups": groups})

    def lines(self):
        """As Hadoop writes them, with an empty line between events."""
        return ["Avro-Json\n", json.dumps(SCHEMA) + "\n", *(json.dumps(event) + "\n\n" for event in self.events)]


def task_id(kind, task):
    return f"task_7_0001_{kind[0].lower()}_{task:06}"


def attempt_id(kind, task, number):
    return f"{task_id(kind, task).replace('task', 'attempt')}_{number}"
