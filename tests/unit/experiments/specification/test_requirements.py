"""What a specification asks of the machine that does its runs, and of no machine that only reads it."""

import pytest

from experiments.documents.diagnostics import SpecificationError
from experiments.specification import plan, requirements
from experiments.specification.specification_file import load, override
from topologies.constants import UNSCALED
from topologies.emulated import congestion_control, host_constants, host_settings, programs


@pytest.fixture
def kernel(monkeypatch):
    """A kernel with two algorithms and a module of a third."""
    monkeypatch.setattr(host_settings, "read", lambda name: "reno cubic")
    monkeypatch.setattr(programs, "succeeds", lambda argv: argv[-1] == "tcp_vegas")


def wanted(algorithm):
    return override(load("thesis"), [f"network.congestion_control={algorithm}"])


@pytest.mark.parametrize("algorithm", ["cubic", "reno", "vegas"])
def test_what_the_kernel_has_or_can_load_is_accepted(kernel, algorithm):
    requirements.check(wanted(algorithm))


def test_what_the_kernel_lacks_is_refused_with_what_it_has(kernel):
    with pytest.raises(SpecificationError) as caught:
        requirements.check(wanted("bbr"))
    assert caught.value.problems == ("network.congestion_control: 'bbr': this kernel has reno, cubic; use one of them",)


def test_a_timer_that_the_kernel_cannot_change_is_refused_and_auto_takes_what_it_has(kernel, monkeypatch):
    monkeypatch.setattr(host_settings, "exists", lambda name: False)
    requirements.check(wanted("cubic"))
    with pytest.raises(SpecificationError, match=r"network.rto_max_s: 2.0: this kernel cannot change it"):
        requirements.check(override(wanted("cubic"), ["network.rto_max_s=2"]))
    assert host_constants.obtainable(UNSCALED.scaled(8, 512)).rto_max_s == UNSCALED.rto_max_s


def test_another_machine_reads_it_nevertheless(kernel):
    plan.check(wanted("bbr"))


def test_a_module_is_loaded_when_it_is_needed(monkeypatch):
    loaded = ["reno"]

    def modprobe(argv):
        loaded.append("vegas")
        return argv == ["modprobe", "--quiet", "tcp_vegas"]

    monkeypatch.setattr(host_settings, "read", lambda name: " ".join(loaded))
    monkeypatch.setattr(programs, "succeeds", modprobe)
    assert congestion_control.load("reno")
    assert loaded == ["reno"]
    assert congestion_control.load("vegas")
    assert not congestion_control.load("bbr")
