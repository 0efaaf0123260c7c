"""Samples of the machine while a run goes on."""

import psutil
import pytest

from experiments.runs.machine_sampler import Probes, Sampler


def test_what_could_not_be_sampled_is_told_by_who_asks_for_samples_and_hides_no_other_reason():
    sampler = Sampler(Probes(2**22 + 1, (), ()), 0.0)  # no process has this number (proc(5), pid_max)
    sampler.start()
    sampler.stop()
    with pytest.raises(psutil.NoSuchProcess):
        sampler.samples()
