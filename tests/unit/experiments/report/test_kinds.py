"""Reports and figures of simulated runs say so, and claim nothing of a machine."""

import json
from xml.etree import ElementTree

import pytest

from experiments.report import kinds
from experiments.report.html.build import read_evidence, render, write_report
from experiments.specification.plan import runs_of
from tests.unit.experiments.report.pages import checked
from tests.unit.experiments.synthetic import START, results, write_run


@pytest.mark.parametrize(
    ("made", "mark"),
    [
        ((), ""),
        (("emulated",), ""),
        (("simulated",), "simulated"),
        (("emulated", "simulated"), "partly simulated"),
    ],
)
def test_the_mark_says_whether_all_or_some_runs_were_simulated(made, mark):
    assert kinds.mark(made) == mark


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = results(tmp_path_factory.mktemp("results"), "repeats=2", kind="simulated", failed=("r01-bf5-coloc",))
    write_report(made.path)
    return made


@pytest.fixture(scope="module")
def page(folder):
    return (folder.path / "report.html").read_text(encoding="utf-8")


def test_the_report_of_simulated_runs_says_so_at_its_top(page):
    text = checked(page)
    assert "<title>thesis (simulated): placement report</title>" in page
    assert '<h1>thesis <span class="simulated">simulated</span></h1>' in page
    assert "Simulated: the network is computed as a fluid; nothing was emulated. 5 simulated runs 1 failed run" in text


def test_their_fidelity_is_that_of_a_simulation(page):
    assert page.count('<td data-label="Fidelity" class="simulated">simulated</td>') == 3
    assert page.count('<td class="left simulated">simulated</td>') == 5
    assert "computed as a fluid in virtual time" in checked(page)


def unstyled(page):
    """What a report says, without its style sheet, which has a class for every state."""
    before, _, after = page.partition("<style>")
    return checked(before + after.partition("</style>")[2])


def test_nothing_is_claimed_of_an_emulation_and_no_part_is_empty(page):
    text = unstyled(page)
    for words in (
        "trusted",
        "emulation divides",
        "the machine during the runs",
        "All links over time",
        "Links have the colour",
        "congestion control",
        "sudo",
    ):
        assert words not in text, words
    assert "run_testbed.py simulate --spec experiment.yaml" in text


def test_their_figures_are_marked(folder):
    figures = list((folder.path / "figures").glob("*.svg"))
    assert {file.stem for file in figures} == {"job-times-bf5", "reductions"}
    for file in figures:
        assert "simulated" in "".join(ElementTree.parse(file).getroot().itertext())


def test_their_summary_is_marked(folder):
    assert json.loads((folder.path / "summary.json").read_text())["kinds"] == ["simulated"]


def test_the_report_of_a_single_simulated_run_says_so(folder):
    page = render(read_evidence(folder.run("r00-bf5-neawa").path))
    assert "1 simulated run" in checked(page)
    assert "<title>thesis (simulated)" in page


def test_emulated_runs_have_no_mark(tmp_path):
    made = results(tmp_path, "repeats=2", "strategies=[default, neawa]")
    assert "imulated" not in unstyled(write_report(made.path).read_text(encoding="utf-8"))
    for file in (made.path / "figures").glob("*.svg"):
        assert "simulated" not in "".join(ElementTree.parse(file).getroot().itertext())


def test_a_report_of_both_kinds_says_which_run_is_which(tmp_path):
    made = results(tmp_path, "strategies=[default, neawa]")
    write_run(made, runs_of(made.specification())[1], START, kind="simulated")
    page = render(read_evidence(made.path, allow_mixed=True))
    text = checked(page)
    assert '<span class="simulated">partly simulated</span>' in page
    assert "1 trusted run 1 simulated run" in text
    assert 'the runs differ in kind ("emulated", "simulated")' in text
    assert "A run is trusted when" in text
    assert "computed as a fluid in virtual time" in text
