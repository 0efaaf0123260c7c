"""The order ends at the first failure, and its summary says what CI and people look for."""

import signal
import sys
from dataclasses import replace

import pytest

from scripts import check
from scripts.check import Check, Outcome, plain_lines, summary


def outcome(name: str, exit_code: int = 0, closing: str = "", argv: tuple[str, ...] = ("true",)) -> Outcome:
    return Outcome(Check(name, argv), exit_code, 1.0, plain_lines(closing))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb\n\n", "b"),
        ("\x1b[32m==== \x1b[1m12 passed\x1b[0m in 3.1s ====\x1b[0m\n", "12 passed in 3.1s"),
        ("progress\rdone\r\n", "done"),
        ("", ""),
    ],
)
def test_closing_line(text, expected):
    assert outcome("any", closing=text).closing == expected


@pytest.mark.parametrize(
    ("closing", "passed"),
    [
        ("12 passed in 3.1s", 12),
        ("1 failed, 2 passed in 3s", 2),
        ("no tests ran in 0.1s", 0),
        ("All checks passed!", 0),
    ],
)
def test_number_of_passed_tests(closing, passed):
    assert outcome("tests", closing=closing).passed_tests == passed


def test_summary_adds_up_what_passed():
    lines = summary(
        [outcome("style"), outcome("a", closing="12 passed in 1s"), outcome("b", closing="3 passed")], 3, 3.2
    )
    assert lines[-1] == "All 3 checks passed: 15 passed in 3 s"
    assert "12 passed in 1s" in lines[1]


def test_summary_of_a_failure_says_what_was_not_run():
    lines = summary([outcome("style"), outcome("types", 3)], 5, 2.0)
    assert lines[-2].startswith("types failed with exit code 3; 3 checks not run")
    assert lines[-1] == "to see it again: true"
    assert lines[1].startswith("FAILED")


def test_failed_tests_are_named_in_what_to_run_again():
    output = "FAILED tests/a.py::test_b[c] - assert 1 == 2\nERROR tests/d.py::e\n1 failed, 1 error in 1s"
    (*_, last) = summary([outcome("unit tests", 1, output, ("pytest", "tests/unit", "tests/ui"))], 1, 1.0)
    assert last == "to see it again: pytest 'tests/a.py::test_b[c]' tests/d.py::e"


def test_what_was_measured_more_than_once_is_listed_at_the_end():
    output = "measured again: tests/a.py::test_b: rate 90 missed; rate 99\n1 passed in 1s"
    lines = summary([outcome("emulation tests", closing=output), outcome("after")], 2, 2.0)
    assert lines[2] == "measured again: tests/a.py::test_b: rate 90 missed; rate 99"


def command(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


@pytest.fixture
def provisioned(monkeypatch):
    monkeypatch.setattr("scripts.provision.ensure_environment", lambda _packages: None)
    monkeypatch.setattr(sys, "argv", ["check.py", "--fast"])


def test_the_first_failure_ends_it_with_its_exit_code(provisioned, monkeypatch, capfdbinary, tmp_path):
    ran = tmp_path / "ran"
    checks = (
        Check("fine", command("print('5 passed in 1s')")),
        Check("broken", command("raise SystemExit(4)")),
        Check("after", command(f"open({str(ran)!r}, 'w')")),
    )
    monkeypatch.setattr(check, "CHECKS", checks)
    assert check.main() == 4
    assert not ran.exists()


def test_checks_side_by_side_mark_their_lines_and_each_failure_is_told(provisioned, monkeypatch, capfdbinary, tmp_path):
    ready = [str(tmp_path / name) for name in ("a", "b")]
    meet = "import os, time\nopen({own!r}, 'w')\nwhile not os.path.exists({other!r}): time.sleep(0.01)\n"
    first = meet.format(own=ready[0], other=ready[1]) + "print('3 passed'); raise SystemExit(3)"
    second = meet.format(own=ready[1], other=ready[0]) + "raise SystemExit(4)"
    checks = (
        Check("first", command(first), beside_next=True),
        Check("second", command(second)),
        Check("after", ("a",)),
    )
    monkeypatch.setattr(check, "CHECKS", checks)
    assert check.main() == 3
    output = capfdbinary.readouterr().out.decode()
    assert "first | 3 passed\n" in output
    assert "first failed with exit code 3, second failed with exit code 4; 1 checks not run" in output
    assert output.count("to see it again: ") == 2


def test_fast_leaves_out_what_takes_root(provisioned, monkeypatch, capsys):
    monkeypatch.setattr(check, "CHECKS", (Check("a", command("pass")), Check("b", command("exit(1)"), root=True)))
    assert check.main() == 0
    assert "All 1 checks passed" in capsys.readouterr().out


def test_only_installing_checks_nothing(provisioned, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["check.py", "--only-install"])
    monkeypatch.setattr(check, "CHECKS", (Check("a", command("exit(1)")),))
    assert check.main() == 0
    assert capsys.readouterr().out == ""


def test_without_root_the_emulation_tests_are_refused_before_anything_runs(provisioned, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["check.py"])
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(check, "CHECKS", (Check("a", command("pass")), Check("b", command("pass"), root=True)))
    assert check.main() == 2
    streams = capsys.readouterr()
    assert "sudo" in streams.err
    assert streams.out == ""


def test_a_check_that_does_not_end_is_ended_and_says_so():
    stuck = Check("stuck", ("sh", "-c", "echo begun; exec sleep 600"))
    found = check._run(replace(stuck, deadline_s=1.0), b"")
    assert found.exit_code == -signal.SIGTERM
    assert found.lines == ("begun", "ended after 1 s: it would not have ended by itself")
