import re
from datetime import datetime, timezone

import pytest
import yaml

from experiments.commands import options
from experiments.commands.main import parse
from experiments.documents.diagnostics import SpecificationError
from experiments.records.results_folder import ResultsFolder
from experiments.specification.plan import check
from experiments.specification.specification_file import dump, load, loads
from experiments.specification.workload import self_contained, submissions
from workloads.job import Job
from workloads.profiles import load_profile


def test_what_a_job_overrides_reaches_it():
    text = (
        "name: a\nstrategies: [default]\nworkload:\n"
        "- {profile: tpch-q3}\n- {profile: tpch-q3, input_bytes: 50 GB, containers: 6, shuffle_factor: 0.5}\n"
    )
    whole, changed = (submission.job() for submission in submissions(loads(text)))
    assert (changed.input_bytes, changed.containers) == (50 * 10**9, 6)
    assert changed.exchanged_bytes == pytest.approx(whole.exchanged_bytes / 5 / 2, rel=1e-6)


JOBS = """
name: a
strategies: [default]
workload:
- {profile: tpch-q3, job_id: etl, input_bytes: 50 GB}
- {profile: kmeans, job_id: train, reads: {points: etl/result}, at_s: 5}
- {profile: tpch-q3, job_id: mix, reads: {customer: etl, orders: train}, input_bytes: 10 GB, at_s: 6}
"""


def jobs_of(specification):
    made: dict[str, Job] = {}
    for submission in submissions(specification):
        made[submission.job_id] = submission.job(made)
    return made


def test_a_job_that_reads_results_has_their_sizes_and_volumes_that_follow_from_them():
    jobs = jobs_of(loads(JOBS))
    etl, train, mix = jobs["etl"], jobs["train"], jobs["mix"]
    size = etl.stage_by_name["result"].write_bytes
    assert (train.files, train.waits_for) == ({"etl/output/result": size}, ("etl",))
    assert train.exchanged_bytes == load_profile("kmeans").job("x", input_bytes=size).exchanged_bytes
    trained = train.result()
    own = load_profile("tpch-q3").job("mix", input_bytes=10**10).files["mix/lineitem"]
    assert mix.files == {"etl/output/result": size, trained.folder: trained.bytes, "mix/lineitem": own}
    alike = load_profile("tpch-q3").job("x", input_bytes=mix.input_bytes)
    assert mix.exchanged_bytes == pytest.approx(alike.exchanged_bytes, rel=1e-6)
    assert mix.waits_for == ("etl", "train")
    check(loads(JOBS))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("etl/result", "elt", "reads points: no job 'elt' before it; do you mean etl?"),
        ("etl/result", "etl/orders", "stage 'orders' writes nothing; those with a result: result"),
        ("points:", "lines:", "job train: reads 'lines': kmeans reads points"),
        ("at_s: 5", "at_s: 5, input_bytes: 5 GB", "input_bytes 5000000000: it reads nothing but results of jobs"),
        ("orders: train", "orders: mix", "reads orders: no job 'mix' before it"),
        ("orders: train", "orders: etl", "file 'etl/output/result' is read twice"),
        ("job_id: etl", "job_id: etl, at_s: 5.5", "no job 'etl' before it; those before it: none"),
    ],
)
def test_results_that_there_are_not_are_refused(old, new, reason):
    with pytest.raises(SpecificationError, match=re.escape(reason)):
        check(loads(JOBS.replace(old, new)))


def test_a_specification_that_is_written_out_keeps_what_its_jobs_read(tmp_path):
    written = self_contained(loads(JOBS))
    assert jobs_of(loads(dump(written))) == jobs_of(loads(JOBS))


def shuffled_bytes(workload):
    """Repartitioned and broadcast bytes of each job of a workload, by job id."""
    jobs = [submission.job() for submission in submissions(loads(f"name: a\nstrategies: [default]\n{workload}\n"))]
    return {
        job.job_id: sum(one.bytes for stage in job.stages for one in stage.exchanges if one.kind != "forward")
        for job in jobs
    }


def test_a_factor_of_a_profile_reaches_all_its_jobs_of_a_preset_and_no_others():
    plain = shuffled_bytes("workload: mixed-high")
    changed = shuffled_bytes("workload: {preset: mixed-high, shuffle_factors: {tpch-q10: 3, kmeans: 0}}")
    factors = {"kmeans-1": 0, "tpch-q10-1": 3, "tpch-q10-2": 3}
    assert changed == pytest.approx({name: size * factors.get(name, 1) for name, size in plain.items()}, rel=1e-6)


def test_a_factor_of_a_job_goes_before_that_of_its_profile():
    jobs = "[tpch-q3, {profile: tpch-q3, shuffle_factor: 0.5}]"
    changed = shuffled_bytes(f"workload: {{jobs: {jobs}, shuffle_factors: {{tpch-q3: 4}}}}")
    assert changed["tpch-q3-1"] == pytest.approx(8 * changed["tpch-q3-2"], rel=1e-6)


@pytest.fixture
def sort(tmp_path):
    """A profile in a file, and another of the same file name in a folder."""
    (tmp_path / "more").mkdir()
    for path, input_bytes in ((tmp_path / "sort.yaml", 5 * 10**9), (tmp_path / "more" / "sort.yaml", 10**9)):
        document = load_profile("tpch-q3").document() | {"name": "sort", "input_bytes": input_bytes}
        path.write_text(yaml.safe_dump(document))
    return tmp_path / "sort.yaml", tmp_path / "more" / "sort.yaml"


def by_path(sort, tmp_path):
    first, second = (f"profile: {path}" for path in sort)
    listed = f"[kmeans, {{{first}}}, {{{first}, input_bytes: 2 GB}}, {{{second}, at_s: 3}}]"
    schedule = tmp_path / "schedule.yaml"
    schedule.write_text(f"[{{{first}, poisson_per_s: 0.1, count: 3, seed: 7}}, {{{second}, after_s: 2}}]")
    for workload in (listed, str(schedule)):
        yield loads(f"name: a\nstrategies: [default]\nworkload: {workload}\n")


def test_a_results_folder_runs_the_same_jobs_when_the_files_of_its_workload_are_gone(sort, tmp_path):
    specifications = list(by_path(sort, tmp_path))
    before = [[(one.at_s, one.job()) for one in submissions(specification)] for specification in specifications]
    now = datetime.now(timezone.utc)
    folders = [ResultsFolder.create(tmp_path / "results", specification, now) for specification in specifications]
    for path in (*sort, tmp_path / "schedule.yaml"):
        path.unlink()
    for folder, jobs in zip(folders, before, strict=True):
        kept = folder.specification()
        check(kept)
        assert [(one.at_s, one.job()) for one in submissions(kept)] == jobs
        assert str(tmp_path) not in dump(kept)
        assert self_contained(kept) == kept


@pytest.mark.parametrize("workload", ["[{profile: more/sort.yaml}]", "more/schedule.yaml"])
def test_paths_start_at_the_file_that_names_them(sort, tmp_path, monkeypatch, workload):
    (tmp_path / "more" / "schedule.yaml").write_text("[{profile: sort.yaml}]")
    (tmp_path / "a.yaml").write_text(f"name: a\nstrategies: [default]\nworkload: {workload}\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for path in (tmp_path / "a.yaml", "../a.yaml"):
        check(load(path))
        (submission,) = submissions(load(path))
        assert (submission.job().input_bytes, submission.job_id) == (10**9, "sort-1")


def test_paths_on_the_command_line_start_at_the_current_folder(sort, tmp_path, monkeypatch):
    (tmp_path / "more" / "a.yaml").write_text("name: a\nstrategies: [default]\nworkload: kmeans-mid\n")
    (tmp_path / "schedule.yaml").write_text("[{profile: more/sort.yaml}]")
    monkeypatch.chdir(tmp_path)
    _, values = parse(["place", "--spec", "more/a.yaml", "--workload", "schedule.yaml"])
    del values["as_json"]
    (submission,) = submissions(options.specification(**values))
    assert submission.job().input_bytes == 10**9


def test_a_workload_without_files_stays_as_it_is():
    for workload in ("mixed-high", "[kmeans, {profile: tpch-q3, at_s: 5}]"):
        specification = loads(f"name: a\nstrategies: [default]\nworkload: {workload}\n")
        assert self_contained(specification) is specification


def test_a_profile_in_the_specification_is_checked_like_one_in_a_file():
    document = load_profile("kmeans").document() | {"name": "mine"}

    def with_profile(name, **changed):
        workload = {"jobs": [name], "profiles": {"mine": document | changed}}
        return loads(yaml.safe_dump({"name": "a", "strategies": ["default"], "workload": workload}))

    check(with_profile("mine"))
    with pytest.raises(SpecificationError, match="did you mean 'mine'"):
        check(with_profile("mien"))
    with pytest.raises(SpecificationError, match=r"workload.profiles.mine.containers: 'x': must be a valid integer"):
        check(with_profile("mine", containers="x"))
