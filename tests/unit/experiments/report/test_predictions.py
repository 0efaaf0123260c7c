"""Reports of runs that the twin has predicted."""

from experiments.documents import numerals
from experiments.report.html.build import read_evidence, render
from experiments.report.html.gantt import job_rows
from tests.unit.experiments.report.pages import checked
from tests.unit.experiments.synthetic import predict, results


def test_what_the_twin_says_is_beside_what_was_measured(tmp_path):
    folder = results(tmp_path, "repeats=2", "strategies=[default, neawa]")
    before = render(read_evidence(folder.path))
    assert "By the twin" not in before
    assert 'class="twin"' not in before
    predict(folder, far="q3-1")
    found = render(read_evidence(folder.path))
    text = checked(found)
    (network,) = read_evidence(folder.path).networks
    drawn = network.cells[0].record
    said = drawn.prediction.jobs[0].completion_time
    assert f"by the twin after {numerals.number(said.low_s)} to {numerals.seconds(said.high_s)}" in text
    assert text.count("By the twin") == 1
    assert text.count("standard deviations more than the twin's") == 4
    assert (
        f"its stage join took {numerals.seconds(30.0)} more; t1-c1/2 up was used by 97 %, not 71 % (12 drops)" in text
    )
    assert found.count('class="twin"') > 2 * 6 + 5
    (row, *_) = job_rows(network.cells[0], network.job_ids, network.end_s)
    assert row.twin.x < row.twin_x < row.twin.x + row.twin.width
