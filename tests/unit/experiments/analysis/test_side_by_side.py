"""Results folders side by side: pairs by seed, differences said, and nothing averaged in silence."""

import json

import pytest
from rich.console import Console

from experiments.analysis.estimates import reduction
from experiments.analysis.likeness import MixedRunsError
from experiments.analysis.pairing import summed_time_s
from experiments.analysis.side_by_side import Source, compare_folders, read, to_json
from experiments.commands.main import main
from experiments.documents.yaml_document import flat
from experiments.report.terminal.side_by_side import render
from tests.unit.experiments.synthetic import results

REPEATS = "repeats=3"
BOTH = "strategies=[default, neawa]"


def source(parent, *assignments, **changed):
    return read(results(parent, *(BOTH, REPEATS), *assignments, **changed))


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    return source(tmp_path_factory.mktemp("before"))


def slower(found, share):
    """The same folder, all of whose jobs took longer, as another machine of the same kind might record it."""
    records = []
    for record in found.records:
        jobs = [
            job.model_copy(
                update={"finished_s": job.finished_s, "completion_time_s": job.completion_time_s * (1 + share)}
            )
            for job in record.jobs
        ]
        records.append(record.updated(jobs=jobs))
    return Source("slower", found.planned, tuple(records))


def row(found, strategy, job_id=None, factor=5):
    return next(
        row for row in found.rows if (row.strategy, row.job_id, row.blocking_factor) == (strategy, job_id, factor)
    )


def elsewhere(found, **provenance):
    """The same runs, made with something else."""
    records = [record.updated(provenance={**record.provenance.model_dump(), **provenance}) for record in found.records]
    return Source("elsewhere", found.planned, tuple(records))


def test_a_folder_does_not_differ_from_itself(before):
    found = compare_folders([before, Source("copy", before.planned, before.records)])
    assert (found.unlike, found.specification, found.missing) == ((), (), ())
    assert all(row.reductions[1].estimate == 0 for row in found.rows)
    assert all(row.reductions[1].outcome == "no difference shown" for row in found.rows)


def test_the_change_is_that_of_the_pairs(before):
    found = compare_folders([before, slower(before, 0.25), slower(before, 0.5)])
    for wanted in found.rows:
        assert wanted.reductions[0] is None
        assert [change.estimate for change in wanted.reductions[1:]] == pytest.approx([-0.25, -0.5])
        assert {change.outcome for change in wanted.reductions[1:]} == {"more"}
    assert {wanted.job_id for wanted in found.rows} == {None, "kmeans-1", "cc-1", "q3-1", "q10-1", "q10-2"}


def test_pairs_are_of_one_seed(tmp_path, before):
    later = source(tmp_path, "seed=2")
    times = [{r.seed: summed_time_s(r) for r in one.records if r.strategy == "neawa"} for one in (before, later)]
    common = sorted(set(times[0]) & set(times[1]))
    assert common == [2, 3]
    found = compare_folders([before, later])
    first, second = ([column[seed] for seed in common] for column in times)
    assert row(found, "neawa").reductions[1] == reduction(first, second)
    assert [difference.key for difference in found.specification] == ["seed"]
    assert {(one.folder == later.name, one.run.seed, one.reason) for one in found.missing} == {
        (True, 1, "not in its specification"),
        (False, 4, "not in its specification"),
    }


def test_without_a_common_seed_there_is_no_change(tmp_path, before):
    found = compare_folders([before, source(tmp_path, "seed=100")])
    assert row(found, "neawa").reductions == (None, None)
    assert all(time.count == 3 for time in row(found, "neawa").times_s)


@pytest.mark.parametrize(
    ("made", "key"),
    [
        ({"machine": "other"}, "machine"),
        ({"kernel": "6.9.9"}, "kernel"),
        ({"datapath": "kernel"}, "datapath"),
        ({"versions": {"python": "3.12.0", "placement-testbed": "0.1.0", "openvswitch": "3.1.0"}}, "versions.python"),
    ],
)
def test_other_origins_are_no_like_with_like_unless_told(before, made, key):
    other = elsewhere(before, **made)
    with pytest.raises(MixedRunsError, match=rf"(?s)^{key}: .*--allow-mixed"):
        compare_folders([before, other])
    assert [difference.key for difference in compare_folders([before, other], allow_mixed=True).unlike] == [key]


def test_other_divisors_are_no_like_with_like(before):
    records = tuple(r.updated(scale={"rate_divisor": 16, "volume_divisor": 128}) for r in before.records)
    with pytest.raises(MixedRunsError, match=r"rate_divisor at blocking factor 5: 8.0 \| 16.0"):
        compare_folders([before, Source("scaled", before.planned, records)])


def test_networks_that_one_folder_lacks_are_no_other_origin(tmp_path, before):
    found = compare_folders([before, source(tmp_path, "topology.blocking_factor=[5, 10]")])
    assert found.unlike == ()
    assert row(found, "neawa").reductions[1].pairs == 3
    assert row(found, "neawa", factor=10).times_s[0] is None
    assert row(found, "neawa", factor=10).reductions == (None, None)


def test_a_folder_without_runs_hides_no_difference_between_the_others(before):
    empty = Source("empty", before.planned, ())
    with pytest.raises(MixedRunsError, match=r"machine: 5f0c2a9be1d7 \| x \| none"):
        compare_folders([before, elsewhere(before, machine="x"), empty])
    assert compare_folders([before, empty, before]).unlike == ()


def test_a_folder_whose_own_runs_are_mixed_is_refused(before):
    mixed = Source("mixed", before.planned, (*elsewhere(before, machine="x").records[:1], *before.records[1:]))
    with pytest.raises(MixedRunsError, match="its own runs differ in machine"):
        compare_folders([mixed, mixed])


def test_a_change_of_the_specification_is_named_with_both_values(tmp_path, before):
    found = compare_folders(
        [
            before,
            source(tmp_path, "strategies=[default, {name: neawa, options: {iterations: 7}}]", "data.replication=2"),
        ]
    )
    values = {difference.key: difference.values for difference in found.specification}
    assert values == {
        "strategies.1.options": (({},), ()),
        "strategies.1.options.iterations": ((), (7,)),
        "data.replication": ((3,), (2,)),
    }


def test_emulated_and_simulated_runs_stand_side_by_side_and_it_is_said(tmp_path, before):
    twin = source(tmp_path, kind="simulated")
    found = compare_folders([before, twin])
    assert (found.kinds, found.unlike) == ((("emulated",), ("simulated",)), ())
    assert row(found, "neawa").reductions[1].pairs == 3
    lines = [line.rstrip() for line in printed(found, 200).splitlines()]
    assert f"A  {before.name}" in lines
    assert f"B  {twin.name}  (simulated)" in lines
    assert "Simulated: the network is computed as a fluid; nothing was emulated." in lines
    assert any(line.startswith("Changes between emulated and simulated runs tell") for line in lines)
    assert json.loads(to_json(found))["kinds"] == [["emulated"], ["simulated"]]


def test_versions_that_both_kinds_have_must_be_the_same(tmp_path, before):
    twin = elsewhere(source(tmp_path, kind="simulated"), versions={"python": "3.12.0", "numba": "0.62"})
    with pytest.raises(MixedRunsError, match=r"^versions.python: 3.11.7 \| 3.12.0\nthis compares"):
        compare_folders([before, twin])


def test_folders_of_one_kind_are_not_told_apart_by_it(tmp_path, before):
    assert "imulated" not in printed(compare_folders([before, before]))
    twin = source(tmp_path, kind="simulated")
    text = printed(compare_folders([twin, elsewhere(twin, machine="other")]))
    assert text.count("(simulated)") == 2
    assert "Changes between emulated and simulated" not in text


def test_doubtful_failed_and_missing_runs_are_listed(tmp_path, before):
    later = source(tmp_path, doubtful=("r01-bf5-neawa",), failed=("r02-bf5-default",))
    later = Source(later.name, later.planned, tuple(r for r in later.records if r.run_id != "r00-bf5-neawa"))
    found = compare_folders([before, later])
    ((_, nothing), (_, aside)) = found.set_aside
    assert nothing == ()
    assert {(run.run_id, run.status, run.used) for run in aside} == {
        ("r01-bf5-neawa", "doubtful", False),
        ("r02-bf5-default", "failed", False),
    }
    assert [(one.run.strategy, one.run.seed, one.reason) for one in found.missing] == [("neawa", 1, "not run yet")]
    assert (row(found, "neawa").reductions[1].pairs, row(found, "default").reductions[1].pairs) == (1, 2)
    text = printed(found)
    for line in (
        "r01-bf5-neawa is doubtful (not used)",
        "r02-bf5-default is failed (not used): AgentError: agent of h3",
        "seed 1 is",
    ):
        assert line in text


def test_a_strategy_with_doubtful_runs_only_is_marked(tmp_path, before):
    later = source(tmp_path, doubtful=tuple(f"r0{repeat}-bf5-neawa" for repeat in range(3)))
    found = compare_folders([before, later])
    assert row(found, "neawa").doubtful == (False, True)
    assert "doubtful" in printed(found)


def test_one_folder_is_nothing_to_compare(before):
    with pytest.raises(MixedRunsError, match="at least two"):
        compare_folders([before])


def test_paths_lead_to_values():
    assert flat({"a": {"b": [1, {"c": 2}]}, "d": [], "e": None}) == {"a.b.0": 1, "a.b.1.c": 2, "d": [], "e": None}


def printed(found, width=110):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(render(found))
    return console.export_text()


def test_the_table_says_what_is_compared(tmp_path, before):
    text = printed(compare_folders([before, source(tmp_path, "seed=2")]))
    assert f"A  {before.name}" in text
    assert "B against A" in text
    assert text.count("all jobs, summed") == 2


def test_json_has_all_of_it(before):
    document = json.loads(to_json(compare_folders([before, slower(before, 0.1)])), parse_constant=pytest.fail)
    assert document["folders"] == [before.name, "slower"]
    assert document["rows"][0]["reductions"][1]["pairs"] == 3


def test_the_command_compares_and_refuses(tmp_path, capsys):
    folders = [results(tmp_path, BOTH, REPEATS, seed) for seed in ("seed=1", "seed=2")]
    words = [str(folder.path) for folder in folders]
    assert main(["compare", "--json", *words]) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 12
    run = folders[1].runs()[0]
    record = run.record()
    made = {**record.provenance.model_dump(), "machine": "another"}
    for run in folders[1].runs():
        (run.path / "record.json").write_text(run.record().updated(provenance=made).to_json())
    assert main(["compare", *words]) == 2
    assert "machine: 5f0c2a9be1d7 | another" in capsys.readouterr().err
    assert main(["compare", "--allow-mixed", *words]) == 0
    assert "Not like with like" in capsys.readouterr().out
