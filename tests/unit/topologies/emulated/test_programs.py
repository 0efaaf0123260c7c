"""Programs of the machine: what they print, and what is said when they cannot."""

import sys

import pytest

from topologies.emulated import programs
from topologies.emulated.programs import ProgramError

PYTHON = (sys.executable, "-c")


def test_a_program_is_fed_and_what_it_prints_is_returned():
    assert programs.run([*PYTHON, "import sys; print(sys.stdin.read().upper())"], "abc") == "ABC\n"


def test_a_program_that_is_fed_nothing_finds_the_end_of_its_input():
    assert programs.run([*PYTHON, "import sys; print(len(sys.stdin.read()))"]) == "0\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["ls", "/no/such/file"], "^ls /no/such/file: .*No such file"),
        ([*PYTHON, "exit(3)"], ": exit code 3$"),
        ([*PYTHON, "print('only here'); exit(3)"], ": only here$"),
        (["no-such-program", "x"], "^no-such-program: not installed$"),
        (["/etc/passwd"], "^/etc/passwd: Permission denied$"),
    ],
)
def test_a_program_that_fails_is_named_with_what_it_said(argv, said):
    with pytest.raises(ProgramError, match=said):
        programs.run(argv)


def test_a_missing_program_of_a_known_package_names_it(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProgramError, match=r"^ovs-vsctl: not installed; install openvswitch-switch$"):
        programs.run(["ovs-vsctl", "show"])


def test_a_program_that_does_not_end_is_ended_and_named():
    with pytest.raises(ProgramError, match=r"did not end within 0\.2 s"):
        programs.run([*PYTHON, "import time; time.sleep(60)"], deadline_s=0.2)


def test_what_need_not_succeed():
    assert programs.output([*PYTHON, "print('half'); exit(1)"]) == "half\n"
    assert programs.output(["no-such-program"]) == ""
    assert programs.first_line([*PYTHON, "import sys; print('v1', file=sys.stderr)"]) == "v1"
    assert programs.first_line(["no-such-program"]) is None
    assert programs.succeeds(["true"])
    assert not programs.succeeds(["false"])
    assert not programs.succeeds(["no-such-program"])
