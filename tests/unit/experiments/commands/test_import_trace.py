import gzip
import json
from collections import Counter

import pytest
import zstandard

from experiments.commands.main import main
from experiments.specification import job_files, specification_file
from experiments.specification.imported import import_file
from experiments.specification.plan import check, runs_of
from experiments.specification.resolved_run import resolve
from experiments.specification.workload import submissions
from tests.unit.workloads.importers.spark_logs import word_count
from tests.unit.workloads.importers.test_coflow import LINES
from tests.unit.workloads.importers.test_jhist import word_count as job_history
from tests.unit.workloads.importers.test_mremu import trace as hadoop_trace
from workloads.importers import TraceError, import_trace
from workloads.importers.coflow import import_coflows
from workloads.scale import Scale
from workloads.splits import BlockKey
from workloads.volumes import plan_job

TRACES = {
    "spark": "".join(word_count().lines()),
    "mremu": json.dumps(hadoop_trace(), indent=4),
    "coflow": "\n".join(LINES),
    "jhist": "".join(job_history().lines()),
}


def written(tmp_path, text, name="trace"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("kind", TRACES)
def test_what_is_written_can_run_and_has_the_volumes_of_the_trace(tmp_path, kind):
    path = written(tmp_path, TRACES[kind])
    specification, *profiles = import_file(path, "auto", tmp_path / "out" / "mine.yaml")
    loaded = specification_file.load(specification)
    check(loaded)
    trace = import_trace(path, kind)
    assert len(profiles) == len(trace.jobs)
    for submission, imported in zip(submissions(loaded), trace.jobs, strict=True):
        job, expected = submission.job(), imported.job
        assert submission.at_s == imported.at_s
        assert (job.containers, job.tasks, job.files) == (expected.containers, expected.tasks, expected.files)
        for stage, wanted in zip(job.stages, expected.stages, strict=True):
            assert stage.cpu_s == pytest.approx(wanted.cpu_s)
            assert (stage.name, stage.write_bytes) == (wanted.name, wanted.write_bytes)
            for exchange, other in zip(stage.exchanges, wanted.exchanges, strict=True):
                assert (exchange.source, exchange.kind, exchange.bytes) == (other.source, other.kind, other.bytes)
                assert (exchange.shares, exchange.pipelined) == (other.shares, other.pipelined)


@pytest.mark.parametrize(("kind", "splits"), [("spark", [2]), ("jhist", [3]), ("mremu", [3]), ("coflow", [1, 1, 1, 1])])
def test_a_stage_has_as_many_splits_as_the_trace_had_tasks_also_when_it_is_loaded(tmp_path, kind, splits):
    specification, *_ = import_file(written(tmp_path, TRACES[kind]), kind, tmp_path / "mine.yaml")
    run = resolve(runs_of(specification_file.load(specification))[0])
    found: list[int] = []
    for planned in run.jobs:
        sizes: dict[BlockKey, int] = {
            block: file.block_size(block.index) for file in planned.files for block in file.blocks
        }
        plans = plan_job(planned.job, Scale(1, 1), dict.fromkeys(sizes, ("h1",)), sizes)
        for plan in plans.values():
            found += Counter(split.file for split in plan.splits).values()
    assert found == splits


RECORDED = {"spark": " s from the submission", "jhist": "8.0 s from submission", "mremu": "22.5 s from submission"}


@pytest.mark.parametrize(("kind", "said"), RECORDED.items())
def test_the_recorded_time_is_said_where_a_user_compares(tmp_path, kind, said):
    specification, profile = import_file(written(tmp_path, TRACES[kind]), kind, tmp_path / "mine.yaml")
    assert said in specification_file.load(specification).description
    assert said in job_files.profile(str(profile)).provenance


def test_without_an_output_the_name_of_the_trace_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = import_file(written(tmp_path, TRACES["mremu"]))
    assert paths == [tmp_path / "job_7.yaml", tmp_path / "job_7-profiles" / "job_7.yaml"]


def test_compressed_logs_and_logs_in_several_files_are_read(tmp_path):
    lines = word_count().lines()
    packed = tmp_path / "log.gz"
    packed.write_bytes(gzip.compress("".join(lines).encode()))
    rolled = tmp_path / "eventlog_v2_app"
    rolled.mkdir()
    (rolled / "appstatus_app").touch()
    for number, part in ((10, lines[5:]), (2, lines[:5])):
        data = zstandard.ZstdCompressor().compress("".join(part).encode())
        (rolled / f"events_{number}_app.zstd").write_bytes(data)
    plain = import_trace(written(tmp_path, "".join(lines)))
    assert import_trace(packed).jobs == import_trace(rolled).jobs == plain.jobs


@pytest.mark.parametrize("kind", TRACES)
def test_a_trace_is_known_behind_a_mark_of_the_byte_order(tmp_path, kind):
    path = tmp_path / "trace"
    path.write_bytes(TRACES[kind].replace("\n", "\r\n").encode("utf-8-sig"))
    assert import_trace(path).jobs == import_trace(written(tmp_path, TRACES[kind]), kind).jobs


def test_coflows_are_known_behind_comments_and_empty_lines(tmp_path):
    commented = f"# my trace\n\n# of 4 racks\n{TRACES['coflow']}"
    assert import_trace(written(tmp_path, commented)).jobs == import_coflows(LINES, "trace").jobs


@pytest.mark.parametrize("kind", ["mremu", "coflow"])
def test_a_trace_that_needs_its_end_is_refused_with_its_being_cut_off(tmp_path, kind):
    (tmp_path / "trace.gz").write_bytes(gzip.compress(TRACES[kind].encode())[:-20])
    with pytest.raises(TraceError, match=r"trace\.gz ends in the middle; what it has been cut off from is missing"):
        import_trace(tmp_path / "trace.gz", kind)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("trace", json.dumps(hadoop_trace(), indent=4)[:999].encode(), "malformed .*give a whole trace of MRemu"),
        ("trace", b"something else\n", "line 1: 'something else' begins no known format; give --format"),
        ("trace", b"", "begins no known format"),
        ("trace", b"\xff\xfe\xb5", "trace: line 1: not text in UTF-8"),
        ("trace.gz", b"not compressed", "'not compressed' begins no known format"),
        ("trace", b"\x1f\x8b damaged", "trace: damaged .*; copy it again"),
        ("trace", b"\x28\xb5\x2f\xfd" + b"\xff" * 64, "trace: damaged .*; copy it again"),
    ],
)
def test_other_files_are_refused(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TraceError, match=said):
        import_file(path, "auto", tmp_path / "mine.yaml")


def test_what_is_there_is_not_replaced_unless_told_to(tmp_path):
    trace, target = written(tmp_path, TRACES["spark"]), tmp_path / "mine.yaml"
    first = import_file(trace, "auto", target)
    target.write_text("edited")
    for output in (target, tmp_path / "other.yaml"):
        if output != target:
            (tmp_path / "other-profiles").mkdir()
            (tmp_path / "other-profiles" / "word-count.yaml").write_text("edited")
        with pytest.raises(TraceError, match="is there already; give another --output, or --force to replace it"):
            import_file(trace, "auto", output)
    assert target.read_text() == "edited"
    assert not (tmp_path / "other.yaml").exists()
    assert import_file(trace, "auto", target, force=True) == first
    assert target.read_text() != "edited"


def test_a_second_trace_of_the_same_name_does_not_replace_the_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "application_1").write_text("".join(word_count().lines()))
    (tmp_path / "application_2").write_text("".join(word_count(executors=3).lines()))
    first = {path: path.read_text() for path in import_file(tmp_path / "application_1")}
    with pytest.raises(TraceError, match=r"word-count\.yaml: is there already; give another --output, or --force"):
        import_file(tmp_path / "application_2")
    assert {path: path.read_text() for path in first} == first


def test_what_is_missing_is_said_and_written_into_the_specification(tmp_path, capsys):
    trace, target = written(tmp_path, "".join(word_count().lines()[:-1]) + '{"Event": "Spark'), tmp_path / "mine.yaml"
    assert main(["import", str(trace), "--output", str(target)]) == 0
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "note: trace ends in the middle; what it has been cut off from is missing"
    assert told[1].startswith("note: the log ends before the application does")
    assert [f"# {line.removeprefix('note: ')}" for line in told] == target.read_text().splitlines()[1 : 1 + len(told)]


def test_what_a_trace_says_stays_within_the_comment(tmp_path):
    (tmp_path / "log\nstrategies: []").write_text("".join(word_count().lines()[:-1]) + '{"Event": "Spark')
    specification, _ = import_file(tmp_path / "log\nstrategies: []", output=tmp_path / "mine.yaml")
    assert len(specification_file.load(specification).strategies) == 2
    assert "# log strategies: [] ends in the middle" in specification.read_text()


def test_missing_files_folders_formats_and_outputs_are_named(tmp_path):
    path = written(tmp_path, TRACES["coflow"])
    with pytest.raises(TraceError, match="absent: cannot be read"):
        import_file(tmp_path / "absent")
    with pytest.raises(TraceError, match="no events_1"):
        import_file(tmp_path)
    with pytest.raises(TraceError, match="'flink': give auto, spark"):
        import_file(path, "flink")
    with pytest.raises(TraceError, match=r"give a name that ends in \.yaml"):
        import_file(path, "auto", tmp_path / "out.json")
    with pytest.raises(TraceError, match="cannot be written"):
        import_file(path, "auto", path / "out.yaml")
