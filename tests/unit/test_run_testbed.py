"""The start of the program, before anything else of it runs."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, os, subprocess, sys
from pathlib import Path
closed = json.loads(sys.argv[1])
import run_testbed
run_testbed.open_standard_streams()
print("lost", flush=True), print("lost", file=sys.stderr, flush=True), closed.count(0) and sys.stdin.read()
leads_to = "import os; print([os.readlink(f'/proc/self/fd/{number}') for number in (0, 2)])"
file = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT)
seen = {
    "number": file,
    "leads_to": [str(Path(f"/proc/self/fd/{number}").readlink()) for number in closed],
    "child": subprocess.run([sys.executable, "-c", leads_to], stdout=subprocess.PIPE, text=True).stdout,
}
os.write(file, json.dumps(seen).encode())
"""


@pytest.mark.parametrize("closed", [c for n in range(1, 4) for c in itertools.combinations((0, 1, 2), n)])
def test_a_closed_standard_stream_is_opened_on_nothing_and_no_file_takes_its_number(closed, tmp_path):
    program = [sys.executable, "-c", PROGRAM, json.dumps(closed), str(tmp_path / "seen")]
    redirections = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in closed)
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *program],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr.replace("lost\n", "")) == (0, "")
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["number"] > 2
    assert seen["leads_to"] == ["/dev/null"] * len(closed)
    assert seen["child"].count("/dev/null") >= len({0, 2} & set(closed))


def test_open_streams_stay_what_they_are(tmp_path):
    program = [sys.executable, "-c", PROGRAM, "[]", str(tmp_path / "seen")]
    done = subprocess.run(program, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("lost\n", "lost\n")
