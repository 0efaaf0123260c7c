"""What the README shows can be typed: its commands parse, its job can be placed, its strategy places it."""

import importlib
import json
import re
import shlex
from pathlib import Path

import pytest

from experiments.commands.main import COMMANDS, main, parse, parser

README = Path("README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands():
    """The words after `run_testbed.py` of every command line in the text."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [shlex.split(line.partition("run_testbed.py")[2]) for line in lines if "run_testbed.py" in line]


def test_there_are_commands_to_try():
    assert len(commands()) >= 6


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_is_understood(words):
    named = words if words and not words[0].startswith("-") else ["run", *words]
    assert parse(named)[0] in COMMANDS


def test_every_command_is_in_the_table():
    (choices,) = (action.choices for action in parser()._actions if action.choices)
    listed = re.findall(r"^\| `([\w-]+)(?: [A-Z]+)*` \| (?:yes|no) \|", README, re.MULTILINE)
    assert set(listed) == set(choices)


def test_the_job_and_the_strategy_of_the_text_work_together(tmp_path, monkeypatch, capsys):
    (job,), (strategy,) = blocks("yaml"), blocks("python")
    (tmp_path / "sort.yaml").write_text(job)
    (tmp_path / "one_rack.py").write_text(strategy)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    (words,) = [words for words in commands() if words[:1] == ["place"] and "--set" in words]
    assert main([*words, "--json", "--strategy", "default", "one_rack:OneRack"]) == 0
    results = {one["strategy"]: one["jobs"] for one in json.loads(capsys.readouterr().out)["strategies"]}
    assert [job["job"] for job in results["OneRack"]] == ["sort-1", "kmeans-1"]
    assert len(set(results["OneRack"][0]["workers"])) == 2  # both nodes of one rack
    assert len(set(results["default"][0]["workers"])) > 2


def test_links_lead_somewhere():
    targets = [target for target in re.findall(r"\]\(([^)#:]+)\)", README) if target]
    assert len(targets) >= 7
    assert [target for target in targets if not Path(target).exists()] == []
