"""The report: complete, self-contained, and made from whatever a results folder holds."""

import html
import itertools
import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.analysis.estimates import Reduction
from experiments.analysis.likeness import MixedRunsError
from experiments.documents import numerals
from experiments.documents.nofollow import FileError
from experiments.records import datapackage
from experiments.records.record import RecordError
from experiments.records.results_folder import ResultsFolder
from experiments.report.html.build import read_evidence, render, write_report
from experiments.report.html.drawing import draw
from experiments.report.html.gantt import host_rows, job_rows
from experiments.report.html.links import mean_utilisation, row_groups, windows
from experiments.report.html.scales import axis, change_axis, time_axis
from experiments.report.html.shares import largest_cell
from tests.unit.experiments.report.pages import checked
from tests.unit.experiments.synthetic import START, results, specification
from topologies.clos import k_ary_fat_tree, leaf_spine
from topologies.fat_tree import single_switch, thesis


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return results(
        tmp_path_factory.mktemp("results"),
        "repeats=3",
        "topology.blocking_factor=[1,5]",
        "description=How much placement matters",
        doubtful=("r02-bf5-neawa",),
        failed=("r01-bf1-coloc",),
    )


@pytest.fixture(scope="module")
def page(folder):
    return render(read_evidence(folder.path))


def test_the_report_is_balanced_labelled_and_loads_nothing(page):
    checked(page)


def test_the_report_says_everything(page):
    text = checked(page)
    for words in (
        "How much placement matters",
        "16 trusted runs",
        "neawa took",
        "less summed job time than default at blocking factor 5 (95 % interval",
        "agent of h3: process ended before it was ready",
        "cpu_idle_p05 0.00 is below 0.05: the machine had no CPU to spare",
        "emulation divides rates by 8 and volumes by 128",
        "replica coverage",
        "Example CPU at 2.5 GHz",
        "congestion control",
        "workload: preset: mixed-high",
        "calibration: flows",
    ):
        assert words in text, words
    for job in ("kmeans-1", "cc-1", "q3-1", "q10-1", "q10-2"):
        assert job in text


def test_the_summary_names_failed_runs_and_their_number(page):
    assert "1 failed run" in checked(page)
    assert "1 doubtful run" in checked(page)


def test_the_report_is_of_a_size_that_can_be_sent(page):
    assert len(page) < 1_500_000


def test_making_it_again_gives_the_same(folder, page):
    assert render(read_evidence(folder.path)) == page


def test_all_files_are_written(folder):
    path = write_report(folder.path)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    figures = {file.name for file in (folder.path / "figures").iterdir()}
    for stem in ("job-times-bf1", "job-times-bf5", "uplinks-bf1", "uplinks-bf5", "reductions"):
        assert {f"{stem}.pdf", f"{stem}.png", f"{stem}.svg"} <= figures
    summary = json.loads((folder.path / "summary.json").read_text())
    assert [network["blocking_factor"] for network in summary["networks"]] == [1, 5]


def test_a_single_run_has_a_report_of_its_own(folder):
    run = folder.run("r00-bf5-neawa")
    text = checked(write_report(run.path, with_figures=False).read_text(encoding="utf-8"))
    assert "r00-bf5-neawa" in text
    assert not (run.path / "summary.json").exists()


@pytest.mark.parametrize("lost", ["events", "links", "fidelity"])
def test_a_lost_series_leaves_the_rest(tmp_path, lost):
    folder = results(tmp_path)
    for run in folder.runs():
        (run.path / f"{lost}.parquet").unlink()
    assert "neawa took" in checked(render(read_evidence(folder.path)))


def test_an_experiment_without_a_finished_run_says_so(tmp_path):
    folder = results(tmp_path, failed=("r00-bf5-default", "r00-bf5-neawa", "r00-bf5-coloc"))
    text = checked(write_report(folder.path).read_text(encoding="utf-8"))
    assert "3 failed runs" in text
    assert "No run finished" in text


def test_an_experiment_without_any_run_is_refused(tmp_path):
    with pytest.raises(MixedRunsError, match="run the experiment first"):
        write_report(ResultsFolder.create(tmp_path, specification(), START).path)


@pytest.mark.parametrize("name", ["specification.yaml", "figures"])
def test_what_a_link_in_a_foreign_folder_leads_to_stays_out_of_the_report_and_as_it_is(name, tmp_path):
    folder = results(tmp_path, "repeats=1", "strategies=[default]").path
    secret = tmp_path / "secret"
    if name == "figures":
        secret.mkdir()
    else:
        secret.write_text((folder / name).read_text())
        (folder / name).unlink()
    (folder / name).symlink_to(secret)
    with pytest.raises(FileError, match=f"{name}: a symbolic link"):
        write_report(folder)
    assert secret.is_file() or not list(secret.iterdir())


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(RecordError, match="neither a results folder"):
        write_report(tmp_path)


def test_names_cannot_write_html(tmp_path):
    folder = results(tmp_path, 'strategies.1.label=<script>alert("x")</script>', "description=<b>bold</b>")
    page = render(read_evidence(folder.path))
    text = checked(page)
    assert "<script>" in text
    assert "<b>bold</b>" in text


def test_failures_are_marked(tmp_path):
    folder = results(tmp_path, "failures=[{at_s: 60, link: t1-c1/1, restore_after_s: 60}, {at_s: 1e6, host: h1}]")
    page = render(read_evidence(folder.path))
    assert "t1-c1/1 down at 60.0 s, back at 120 s; h1 down at" in checked(page)
    assert page.count('class="failure"') == 3 * 2


def test_many_hosts_on_one_switch(tmp_path):
    folder = results(
        tmp_path, "topology={preset: single-switch, parameters: {hosts: 64}}", "strategies=[default, coloc]"
    )
    evidence = read_evidence(folder.path)
    page = render(evidence)
    text = checked(page)
    assert "h64" in text
    assert "Up-links over time" not in text
    most = numerals.size(largest_cell(evidence.networks[0].cells))
    assert page.count(f'from 0<i class="ramp"></i>{most} from one to another') == 2


@pytest.fixture(scope="module")
def cell(folder):
    return read_evidence(folder.path).networks[1].cells[1]


def test_the_drawn_run_is_a_median_one(cell):
    sums = sorted(sum(job.completion_time_s for job in record.jobs) for record in cell.used)
    assert sum(job.completion_time_s for job in cell.record.jobs) == sums[(len(sums) - 1) // 2]


def test_containers_lie_on_their_hosts_and_do_not_overlap(cell):
    ids = tuple(job.job_id for job in cell.record.jobs)
    boxes = re.compile(r"M([\d.]+) (\d+)h([\d.]+)")
    drawn = 0
    for row in host_rows(cell, ids, cell.end_s):
        lanes: dict[str, list[tuple[float, float]]] = {}
        for bars in row.held:
            for x, y, width in boxes.findall(bars.path):
                lanes.setdefault(y, []).append((float(x), float(x) + float(width)))
                drawn += 1
        for spans in lanes.values():
            spans.sort()
            assert all(first[1] <= second[0] + 0.6 for first, second in itertools.pairwise(spans))
        assert len(lanes) <= sum(job.placement.count(row.host) for job in cell.record.jobs)
    assert drawn == sum(len(job.placement) for job in cell.record.jobs)


def test_containers_are_busy_within_the_time_that_they_are_held(cell):
    ids = tuple(job.job_id for job in cell.record.jobs)
    boxes = re.compile(r"M([\d.]+) (\d+)h([\d.]+)")
    for row in host_rows(cell, ids, cell.end_s):
        held = {(b.job_id, y): (float(x), float(x) + float(w)) for b in row.held for x, y, w in boxes.findall(b.path)}
        busy = [(b.job_id, y, float(x), float(w)) for b in row.busy for x, y, w in boxes.findall(b.path)]
        assert len(busy) >= 3 * (len(held) - 5)
        for job_id, y, x, width in busy:
            first, last = held[job_id, y]
            assert first - 0.6 <= x <= x + width <= last + 0.6


def test_whatever_has_the_colour_of_a_job_has_its_name(page, cell):
    named = re.findall(r'fill:var\(--job-\d\)"[^>]*><title>([^<,]+)', page)
    assert len(named) == page.count("fill:var(--job-") > 0
    assert set(named) == {job.job_id for job in cell.record.jobs}


def test_stages_that_overlap_are_in_different_lanes(cell):
    for row in job_rows(cell, [job.job_id for job in cell.record.jobs], cell.end_s):
        for lane in row.lanes:
            ends = [(span.x, span.x + span.width) for span in lane]
            assert all(first[1] <= second[0] + 0.2 for first, second in itertools.pairwise(ends))


def test_mean_utilisation_is_that_of_the_samples(cell):
    means = mean_utilisation(cell)
    one = cell.links.filter(
        (pl.col("link") == "t1-c1/1") & (pl.col("direction") == "up") & (pl.col("time_s") <= cell.end_s)
    )
    assert means["t1-c1/1", "up"] == pytest.approx(one["utilisation"].mean())


def test_the_network_over_time_is_drawn_from_the_samples_of_each_part(cell):
    parts = windows(cell.end_s)
    assert parts[0][0] == 0
    assert parts[-1][1] == pytest.approx(cell.end_s)
    assert all(first[1] == second[0] for first, second in itertools.pairwise(parts))
    uplink = cell.links.filter((pl.col("link") == "t1-c1/1") & (pl.col("direction") == "up"))
    for begin, end in parts:
        there = uplink.filter((pl.col("time_s") > begin) & (pl.col("time_s") <= end))["utilisation"]
        assert mean_utilisation(cell, begin, end)["t1-c1/1", "up"] == pytest.approx(there.mean())
    assert mean_utilisation(cell, cell.end_s, 2 * cell.end_s) == {}


@pytest.mark.parametrize("topology", [thesis(), single_switch(8), k_ary_fat_tree(4), k_ary_fat_tree(6), leaf_spine()])
def test_every_link_is_drawn_once_and_inside(topology):
    sheet = draw(topology, {})
    assert len(sheet.wires) == len(topology.links)
    assert len({(wire.x1, wire.y1, wire.x2, wire.y2) for wire in sheet.wires}) == len(topology.links)
    assert all(0 < node.x < sheet.width and 0 < node.y < sheet.height for node in sheet.nodes)
    rows = [key for _, keys in row_groups(topology) for key in keys]
    assert sorted(rows) == sorted((link.id, way) for link in topology.links for way in ("up", "down"))


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_an_axis_holds_its_values(low, width):
    found = axis(low, low + width)
    slack = 1e-9 * max(abs(found.low), abs(found.high))
    assert found.low <= low + slack
    assert found.high >= low + width - slack
    assert 2 <= len(found.ticks) <= 8
    assert 0 <= found.percent(low) <= found.percent(low + width) <= 100


@given(st.floats(0.001, 1e7))
def test_a_time_axis_ends_with_the_run(end_s):
    found = time_axis(end_s)
    assert found.percent(end_s) == 100
    assert all(0 <= tick <= end_s for tick in found.ticks)


def test_the_data_package_describes_every_file(folder):
    write_report(folder.path, with_figures=False)
    package = json.loads((folder.path / "datapackage.json").read_text())
    names = [resource["name"] for resource in package["resources"]]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name) for name in [package["name"], *names])
    described = {resource["path"] for resource in package["resources"]}
    data = {file for pattern in ("*.parquet", "record.json") for file in folder.path.rglob(pattern)}
    assert {str(file.relative_to(folder.path)) for file in data} <= described
    for resource in package["resources"]:
        file = folder.path / resource["path"]
        assert file.is_file()
        if resource["format"] == "parquet":
            assert set(resource["schema"]) == {"fields"}  # exactly these, as nothing else is said
            fields = {field["name"]: field["type"] for field in resource["schema"]["fields"]}
            frame = pl.read_parquet(file)
            kinds = {pl.Float64: "number", pl.Int64: "integer", pl.String: "string", pl.Boolean: "boolean"}
            assert {name: kinds[type(kind)] for name, kind in frame.schema.items()} == fields


def test_tables_of_another_version_are_described_as_they_are_and_damaged_ones_are_not(tmp_path):
    made = results(tmp_path, "repeats=1", "strategies=[default]")
    (run,) = made.runs()
    run.links().drop("drops").with_columns(extra=1.0).write_parquet(run.path / "links.parquet")
    (run.path / "fidelity.parquet").write_bytes(b"PAR1")
    tables = {one["path"]: one["schema"] for one in datapackage.describe(made)["resources"] if "schema" in one}
    assert {Path(path).name for path in tables} == {"events.parquet", "links.parquet", "delays.parquet"}
    (links,) = [schema for path, schema in tables.items() if path.endswith("links.parquet")]
    names = [field["name"] for field in links["fields"]]
    assert names == pl.read_parquet(run.path / "links.parquet").columns
    assert "extra" in names


def test_names_with_dollars_backslashes_and_markup_stay_what_they_are(tmp_path):
    label = r"$\\foo$ $$ [/x]&<b>"
    made = results(tmp_path, "repeats=2", f"strategies=[default, {{name: neawa, label: '{label}'}}]")
    page = write_report(made.path).read_text()
    assert html.escape(label, quote=False) in page
    figures = [ElementTree.parse(file) for file in (made.path / "figures").glob("*.svg")]
    assert any(label in "".join(figure.getroot().itertext()) for figure in figures)


def test_a_damaged_run_is_listed_and_the_others_are_drawn(tmp_path):
    made = results(tmp_path, "repeats=1", "strategies=[default, neawa, random]")
    (made.run("r00-bf5-neawa").path / "events.parquet").write_bytes(b"PAR1")
    (made.run("r00-bf5-random").path / "record.json").write_bytes(b"{")
    evidence = read_evidence(made.path)
    assert [cell.record.run_id for cell in evidence.networks[0].cells] == ["r00-bf5-default"]
    aside = {one.run_id: one for one in evidence.comparison.set_aside}
    assert {one.status for one in aside.values()} == {"damaged"}
    assert set(aside) == {"r00-bf5-neawa", "r00-bf5-random"}
    assert "r00-bf5-neawa/events.parquet: damaged" in checked(render(evidence))


def test_a_copied_folder_can_be_reported(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder.path, copy)
    assert datapackage.describe(ResultsFolder.open(copy))["name"] == "copy"
    checked(render(read_evidence(copy)))


@given(st.lists(st.tuples(st.floats(-5, 1), st.floats(0, 10)), min_size=1, max_size=8))
def test_an_axis_of_changes_holds_all_estimates_and_no_interval_squeezes_them(found):
    reductions = [Reduction(share, share - width, min(1.0, share + width), 2) for share, width in found]
    scale = change_axis(reductions)
    changes = [-100 * share for share, _ in found]
    slack = 1e-6
    assert scale.low - slack <= min(0.0, *changes)
    assert scale.high + slack >= max(0.0, *changes)
    assert scale.high <= 2 * max(100.0, *changes)
