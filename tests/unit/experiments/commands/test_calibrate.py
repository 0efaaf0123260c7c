"""A calibration says what it does, also where its answer goes into a file."""

import contextlib
import io

from rich.console import Console

from experiments.commands import calibrate
from experiments.commands.main import main
from experiments.runs import controller_process, rate_divisor
from experiments.runs.network_calibration import AggregateMeasurement, LinkMeasurement
from topologies.emulated import isolation


def test_what_is_measured_is_said_line_by_line_in_what_is_no_terminal(capsys, monkeypatch):
    def measured(run, standing, divisor, scratch, quick, on_progress):
        on_progress("links alone, round 1 of 9")
        return [], AggregateMeasurement(32, 8, 8, fair_mbps=10.0, measured_mbps=10.0)

    monkeypatch.setattr(calibrate, "answer_isolated", lambda action: action())
    monkeypatch.setattr(calibrate, "_measure", measured)
    monkeypatch.setattr(isolation, "current", lambda: None)
    monkeypatch.setattr(controller_process, "listen", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(rate_divisor, "choose_divisor", lambda *_: 8.0)
    assert main(["calibrate", "--blocking-factor", "5"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("calibration: links alone, round 1 of 9")
    assert main(["calibrate", "--blocking-factor", "5", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_links_keep_their_names_on_80_columns():
    written = io.StringIO()
    link = LinkMeasurement("t100-eth100>core100-eth100", "core100-eth100>t100-eth100", 1250.125, 1249.875)
    together = AggregateMeasurement(32, 8, 8, fair_mbps=10.0, measured_mbps=10.0)
    calibrate._print(Console(file=written, width=80), 8.0, [link], together)
    assert "…" not in written.getvalue()
    assert all(figure in written.getvalue() for figure in ("1250.125", "1249.875", "-0.02%"))
