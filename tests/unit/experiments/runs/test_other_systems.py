"""Simulations need nothing that Linux alone has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import builtins, io, os, sys

for name in ("O_PATH", "O_TMPFILE", "sched_getaffinity", "memfd_create", "pidfd_open", "eventfd", "setns", "unshare"):
    if hasattr(os, name):
        delattr(os, name)

OURS = ("experiments", "placement", "topologies", "twin", "workloads")  # libraries have other parts for other systems

def guarded(real):
    def reach(path, *arguments, **named):
        frame, ours = sys._getframe(1), False
        for _ in range(3):
            ours = ours or frame is not None and frame.f_globals["__name__"].partition(".")[0] in OURS
            frame = frame and frame.f_back
        if ours and not isinstance(path, int) and os.fsdecode(path).startswith(("/proc/", "/sys/")):
            raise FileNotFoundError(2, "No such file or directory", path)
        return real(path, *arguments, **named)
    return reach

builtins.open = io.open = guarded(io.open)
os.open, os.stat, os.listdir, os.scandir = map(guarded, (os.open, os.stat, os.listdir, os.scandir))
"""


@pytest.mark.parametrize("processes", [1, 2])
def test_a_simulation_runs_where_linux_calls_and_files_are_not(tmp_path, processes):
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    command = "from experiments.commands.main import main; raise SystemExit(main())"
    jobs = "workload.jobs=[{profile: kmeans, input_bytes: 2000000000}]"
    wanted = ["--strategy", "default", "--repeats", "2", "--set", "workload.preset=null", "--set", jobs]
    done = subprocess.run(
        [sys.executable, "-c", command, "simulate", *wanted, "--processes", str(processes), "--output", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path.cwd())])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 2 runs" in done.stdout
