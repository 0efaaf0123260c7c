import dataclasses
import fcntl
import io
import json
import os

import pytest
from rich.console import Console

from experiments.machine import inspection
from experiments.machine.inspection import CONSTANTS, PROGRAMS, QDISCS, Facts
from experiments.machine.readiness import Finding, can_run, examine, render, to_json

GOOD = Facts(
    root=True,
    kernel="6.1.0",
    cores=8,
    memory_bytes=16 * 2**30,
    openvswitch_module="loadable",
    namespaces=True,
    virtual_links=True,
    qdiscs=dict.fromkeys(QDISCS, True),
    constants=dict.fromkeys(CONSTANTS, True),
    cgroups=(2,),
    congestion_controls=("reno", "cubic"),
    default_congestion_control="cubic",
    send_buffer="writable",
    programs={name: f"{name} 3.1.0" for name in PROGRAMS},
    mininet="2.3.0",
    system_python="3.11.2",
    python="3.11.2",
    controllers={"os-ken": "4.2.2", "ryu": None},
    holder=None,
    leftovers=(),
)


def finding(subject, **changes):
    found = {one.subject: one for one in examine(dataclasses.replace(GOOD, **changes))}
    return found[subject]


def without(*names):
    return {name: None if name in names else line for name, line in GOOD.programs.items()}


def test_a_machine_with_everything_has_nothing_to_remedy():
    findings = examine(GOOD)
    assert {one.status for one in findings} == {"ok"}
    assert can_run(findings)


@pytest.mark.parametrize(
    ("subject", "changes", "remedy"),
    [
        ("Namespaces", {"namespaces": False}, "privileged"),
        ("Virtual links", {"virtual_links": False}, "modprobe veth"),
        ("Traffic control", {"qdiscs": {**GOOD.qdiscs, "htb": False}}, "modprobe sch_htb"),
        ("Traffic control", {"qdiscs": {**GOOD.qdiscs, "bfifo": False}}, "CONFIG_NET_SCHED"),
        ("TCP congestion control", {"congestion_controls": ("reno",)}, "network.congestion_control to reno"),
        ("TCP constants", {"constants": {**GOOD.constants, "super_frame_bytes": False}}, "iproute2"),
        ("Open vSwitch", {"programs": without("ovsdb-tool")}, "openvswitch-switch"),
        ("Mininet", {"mininet": None}, "install mininet"),
        ("Mininet", {"programs": without("mnexec")}, "install mininet"),
        ("Python", {"python": "3.9.18"}, "Ubuntu 22.04"),
        ("OpenFlow library", {"controllers": {"os-ken": None, "ryu": "4.34"}}, "requirements.lock"),
        ("iproute2", {"programs": without("tc", "ss")}, "install iproute2"),
        ("iperf3", {"programs": without("iperf3")}, "install iperf3"),
        ("Datapath", {"openvswitch_module": "absent", "send_buffer": "absent"}, "network namespace"),
    ],
)
def test_what_is_needed_and_missing_stops_the_testbed_and_has_a_remedy(subject, changes, remedy):
    found = finding(subject, **changes)
    assert found.status == "missing"
    assert remedy in found.remedy
    assert not can_run(examine(dataclasses.replace(GOOD, **changes)))


@pytest.mark.parametrize(
    ("subject", "changes"),
    [
        ("Rights", {"root": False}),
        ("Testbed", {"holder": "process 7 since 12:00:00: run_testbed.py"}),
        ("Testbed", {"leftovers": ("0badcafe",)}),
        ("Processor cores", {"cores": 1}),
        ("Memory", {"memory_bytes": 2**30}),
        ("Namespaces", {"namespaces": None}),
        ("Traffic control", {"qdiscs": dict.fromkeys(QDISCS)}),
        ("TCP constants", {"constants": dict.fromkeys(CONSTANTS)}),
        ("TCP constants", {"constants": {**GOOD.constants, "rto_max_s": False}}),
        ("ping", {"programs": without("ping")}),
    ],
)
def test_what_limits_or_could_not_be_looked_at_does_not_stop_the_testbed(subject, changes):
    found = finding(subject, **changes)
    assert found.status == "limited"
    assert found.remedy
    assert can_run(examine(dataclasses.replace(GOOD, **changes)))


def test_the_datapath_to_be_used_is_named():
    assert finding("Datapath").used == "kernel datapath"
    userspace = finding("Datapath", openvswitch_module="absent", send_buffer="writable")
    assert userspace.status == "ok"
    assert "segmentation offload" in userspace.used
    old = {**GOOD.programs, "ovs-vswitchd": "ovs-vswitchd (Open vSwitch) 2.9.8"}
    assert "2.13" in finding("Datapath", openvswitch_module="absent", programs=old).remedy
    assert finding("Datapath", openvswitch_module="loaded", programs=old).status == "ok"


def test_a_mininet_for_another_python_is_told_from_none():
    assert "made for Python 3.12.3" in finding("Mininet", mininet=None, system_python="3.12.3").found


def test_absent_queueing_disciplines_that_nothing_uses_are_told_but_harm_nobody():
    found = finding("Traffic control", qdiscs={**GOOD.qdiscs, "netem": False})
    assert found.status == "ok"
    assert "not netem" in found.found


def test_table_and_json_say_the_same():
    findings = examine(dataclasses.replace(GOOD, mininet=None, leftovers=("[0badcafe]",)))
    output = io.StringIO()
    Console(file=output, width=200).print(render(findings))
    document = json.loads(to_json(findings))
    assert document["can_run"] is False
    assert "missing: Mininet" in output.getvalue()
    for one in document["findings"]:
        assert all(one[field] in output.getvalue() for field in ("status", "subject", "found", "used", "remedy"))
    assert "[0badcafe]" in output.getvalue()


def test_a_finding_that_is_not_ok_needs_a_remedy():
    with pytest.raises(ValueError, match="give one"):
        Finding("Memory", "limited", "1 GB")


def test_control_groups_are_told_apart():
    first = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
    second = "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
    assert inspection.cgroup_versions(first + second) == (1, 2)
    assert inspection.cgroup_versions(second) == (2,)
    assert inspection.cgroup_versions("proc /proc proc rw 0 0\n\n") == ()


def test_a_running_testbed_is_told_from_a_killed_one(tmp_path, monkeypatch):
    monkeypatch.setattr(inspection, "STATE_DIRECTORY", tmp_path)
    lock = tmp_path / "lock"
    lock.touch()
    (tmp_path / "0badcafe").mkdir()
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        facts = inspection.gather()
        assert facts.holder.startswith(f"process {os.getpid()} since ")
        assert facts.leftovers == ()
    facts = inspection.gather()
    assert facts.holder is None
    assert facts.leftovers == ("0badcafe",)


def test_this_machine_can_be_looked_at():
    found = inspection.gather()
    assert found.python.startswith("3.")
    assert set(found.qdiscs) == set(QDISCS)
    assert examine(found)
