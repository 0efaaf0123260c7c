import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from experiments.records import series
from experiments.records.results_folder import RunFolder
from experiments.report.terminal.monitoring import render, sparkline
from tests.unit.experiments.synthetic import results


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1e6)), min_size=1, max_size=50))
def test_the_largest_bar_belongs_to_the_span_with_the_largest_sum(samples):
    times, amounts = zip(*samples, strict=True)
    bars, top = sparkline(times, amounts, end_s=100.0, width=10)
    assert len(bars) == 10
    sums = [sum(a for t, a in samples if min(9, int(t / 10)) == span) for span in range(10)]
    assert top == pytest.approx(max(sums) / 10)
    assert all(bar == "█" for bar, value in zip(bars, sums, strict=True) if value == max(sums) > 0)


def test_a_simulated_run_has_no_samples_and_says_why(tmp_path):
    shown = [
        render(results(tmp_path / kind, "strategies=[default]", kind=kind, failed=("r00-bf5-default",)).runs()[0])
        for kind in ("emulated", "simulated")
    ]
    assert "the run ended before" in shown[0]
    assert "the run was simulated" in shown[1]


def test_nothing_used_is_an_empty_line():
    assert sparkline([1.0, 2.0], [0.0, 0.0], 2.0, 4) == ("    ", 0.0)


def test_a_run_is_shown_with_the_most_memory_that_was_held_and_without_its_loading(tmp_path):
    def sample(time_s, memory_gb, **of):
        used = {"cpu_s": 1.0, "disk_bytes": 0, "received_bytes": 0, "memory_bytes": round(memory_gb * 1e9)}
        return {"time_s": time_s, "kind": "sample", "host": "h1", "sent_bytes": 10**6, **used, **of}

    rows = [
        sample(-3.0, 0, sent_bytes=10**12, agent_memory_bytes=99_000_000),
        *(sample(time_s, held, agent_memory_bytes=21_400_000) for time_s, held in ((5.0, 9.6), (10.0, 3.2))),
        *(sample(5.0, 3.2, job="kmeans-1", container=number) for number in range(3)),
    ]
    series.write(tmp_path / "events.parquet", rows, series.EVENTS)
    shown = io.StringIO()
    Console(width=200, file=shown).print(render(RunFolder(tmp_path)))
    node, *containers = (line.split() for line in shown.getvalue().splitlines() if " h1 " in f" {line}")
    assert node[-2:] == ["9.6", "21.4"]
    assert len(containers) == 3
    assert all(line[-1] == "3.2" for line in containers)
    assert all(float(figure) < 100 for figure in node if figure[0].isdigit())


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_no_column_is_lost_on_a_narrow_terminal(tmp_path, columns):
    used = {"cpu_s": 1.0, "disk_bytes": 10**9, "sent_bytes": 10**9, "received_bytes": 0, "memory_bytes": 10**9}
    sample = {"time_s": 5.0, "kind": "sample", "host": "h1", **used}
    rows = [sample, {**sample, "job": "connected-comp-1", "container": 11, "host": "h64"}]
    series.write(tmp_path / "events.parquet", rows, series.EVENTS)
    shown = io.StringIO()
    Console(width=columns, file=shown).print(render(RunFolder(tmp_path), columns=columns))
    text = shown.getvalue()
    assert "…" not in text
    assert all(text.count(unit) == 2 for unit in ("cores", "memory", "received"))
    assert ("█" in text) == (columns > 80)
    (line,) = [line.split() for line in text.splitlines() if "h64" in line]
    assert (line[:3], line[-1]) == (["connected-comp-1", "11", "h64"], "1.0")
