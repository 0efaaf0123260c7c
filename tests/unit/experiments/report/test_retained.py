"""What tables and reports say of runs that retained files."""

import io

import pytest
from rich.console import Console

from experiments.analysis import comparison, sweep_results
from experiments.analysis.file_figures import file_figures
from experiments.records import datapackage
from experiments.records.file_figures import FileFigures
from experiments.records.record import now
from experiments.records.retention import RetentionRecord
from experiments.report.html import ledger
from experiments.report.html.build import read_evidence, render
from experiments.report.html.scales import time_axis
from experiments.report.terminal import retained, sweep_table, table
from experiments.specification.sweep_file import loads
from tests.unit.experiments.report.pages import checked
from tests.unit.experiments.synthetic import results, swept

PUBLISHED = (
    "published={source: Somebody 2018, figures: ["
    "{operation: create, of: confirmed_s, median: 42.5, low: 15, high: 100}, "
    "{operation: create, bytes: 64 MB, of: gas, median: 18.9, impossible: it is <less>}, "
    "{operation: read, bytes: 64 MB, of: proven_share, median: 0.5}, {operation: change, of: gas, median: 2}]}"
)
FILES = (
    FileFigures(
        operation="create",
        bytes=64_000_000,
        count=3,
        available_s=(1, 2, 3),
        confirmed_s=(10, 30, 120),
        gas=(875_000, 875_001, 875_002),
    ),
    FileFigures(operation="create", bytes=8_192_000_000, count=1, available_s=(9, 9, 9), confirmed_s=(50, 50, 50)),
    FileFigures(operation="read", bytes=64_000_000, count=1, available_s=(2, 2, 2), proven_s=(0.5, 0.5, 0.5)),
)


def retain(folder, altered=("block 1 of /a on h3",)):
    """Let the runs of a folder have retained files."""
    for number, run in enumerate(folder.runs()):
        kept = RetentionRecord(
            transactions=20_301,
            confirmed=20_300,
            refused=1,
            gas=10**9,
            confirmed_after_s=(10, 40 + number, 120),
            checks=7,
            altered=altered,
            not_kept=("create /b: no replica left",),
            files=FILES,
        )
        record = run.record().updated(retention=kept)
        with run.writing(now) as writer:
            writer.save_transactions(
                {"nonce": at, "operation": "create", "file": f"/{at}", "asked_s": 1.0 * at, "confirmed_s": at + 40.0}
                for at in range(500)
            )
            writer.save_stored("[]")
            writer.save(record)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("results")
    return retain(results(path, "strategies=[default, neawa]", "retention={track: a}", PUBLISHED))


def shown(what):
    text = io.StringIO()
    Console(file=text, width=140).print(what)
    return "\n".join(line.rstrip().replace("\N{THIN SPACE}", " ") for line in text.getvalue().splitlines())


def test_figures_stand_beside_those_that_were_published(folder):
    rows = {(one.operation, one.bytes, one.of): one for one in file_figures(folder.records()[:1])}
    everything = rows["create", None, "confirmed_s"]
    assert everything.measured == (10, 40, 120)
    assert everything.verdict == "within"
    assert rows["create", 64_000_000, "gas"].verdict == "impossible: it is <less>"
    assert rows["read", 64_000_000, "proven_share"].measured == (0.25, 0.25, 0.25)
    assert rows["read", 64_000_000, "proven_share"].verdict == "x 0.5"
    assert rows["change", None, "gas"].verdict == "not measured"
    assert rows["create", 8_192_000_000, "confirmed_s"].verdict == ""


def test_the_terminal_says_what_files_took_and_when_they_were_confirmed(folder):
    text = shown(table.render(comparison.compare(folder.records())))
    assert "Files of clients under default" in text
    assert "Somebody 2018" in text
    assert "create, all sizes" in text
    assert "40 (10..120)" in text
    assert "42.5 (15..100)" in text
    assert "impossible: it is <less>" in text
    assert "Confirmed, s" in text
    (run, *_) = folder.runs()
    text = shown(retained.render(run.record().retention))
    for words in ("20 301", "20 300", "40.0 s, from 10.0 to 120", "block 1 of /a on h3", "create /b: no replica left"):
        assert words in text


def test_the_report_draws_transactions_and_lists_what_is_wrong(folder):
    text = checked(render(read_evidence(folder.path)))
    for words in ("Files on the ledger", "20 301", "41.0 s (10.0 to 120)", "block 1 of /a on h3", "Somebody 2018"):
        assert words in text, words


def test_the_data_package_has_them_too(folder):
    paths = {resource["path"] for resource in datapackage.describe(folder)["resources"]}
    assert {"runs/r00-bf5-neawa/transactions.parquet", "runs/r00-bf5-neawa/retention/files.json"} <= paths


def test_a_sweep_shows_files_point_by_point(tmp_path):
    sweep = loads(
        "name: small\nbase: thesis\nset: {repeats: 1, strategies: [default], retention: {track: a}}\n"
        "vary: {retention.digest: [blocks, file]}\n"
    )
    folder = swept(tmp_path, sweep)
    for point in folder.points():
        retain(folder.point(point))
    text = shown(sweep_table.render(sweep_results.read(folder)))
    assert text.count("Files of clients under default") == 2
    assert text.index("\nblocks, blocking factor 5\n") < text.index("\nfile, blocking factor 5\n")
    assert "Confirmed, s" in text


def test_runs_that_retain_nothing_have_none_of_it(tmp_path):
    plain = results(tmp_path, "strategies=[default, neawa]")
    result = comparison.compare(plain.records())
    assert "Confirmed" not in shown(table.render(result))
    assert "Files on the ledger" not in render(read_evidence(plain.path))
    assert result.networks[0].strategies[0].files == ()


@pytest.mark.parametrize("count", [1, 7, 1000])
def test_steps_reach_as_far_as_there_are_transactions(count):
    axis = time_axis(1000)
    points = [tuple(map(float, point.split(","))) for point in ledger._steps([*range(count)], axis, 2 * count).split()]
    assert points[0] == (0, 100)
    assert points[-1] == (1000, 50)
    assert len(points) < 1000
    assert points == sorted(points, key=lambda point: (point[0], -point[1]))
