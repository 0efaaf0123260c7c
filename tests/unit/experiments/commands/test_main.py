"""What the command line answers: results on its standard output, a wrong request in a line that says what to do."""

import errno
import json
import os
import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.commands import options
from experiments.commands.main import COMMANDS, main, parse
from experiments.documents.diagnostics import SpecificationError
from experiments.records import series
from experiments.specification import specification_file
from tests.unit.experiments.synthetic import results
from topologies.emulated import isolation


def specification(*words):
    """The specification that the words of a command describe."""
    _, values = parse(words)
    return options.specification(**{name: values[name] for name in options.Description.__annotations__})


def wanted(**changed):
    return {"name": "wanted", "strategies": ["default"], "workload": "mixed-mid", **changed}


@pytest.mark.parametrize("command", ["run", "calibrate", "place"])
@pytest.mark.parametrize(
    ("words", "field", "value", "remedy"),
    [
        (("--strategy", "neawaa"), "strategies.0.name", "'neawaa'", "did you mean 'neawa'?"),
        (("--blocking-factor", "0"), "topology.blocking_factor", "blocking factor 0", "give numbers above 0"),
        (("--blocking-factor", "1", "1"), "topology.blocking_factor", "given twice", "use `repeats`"),
        (("--workload", "mixed-hihg"), "workload.preset", "'mixed-hihg'", "did you mean 'mixed-high'?"),
        (("--repeats", "0"), "repeats", "0", "greater than or equal to 1"),
        (("--seed", "-1"), "seed", "-1", "greater than or equal to 0"),
        (("--seed", "soon"), "seed", "'soon'", "valid integer"),
        (("--set", "scale.rate_divisor=0.5"), "scale.rate_divisor", "0.5", "1 to 10,000, or auto"),
        (("--set", "scale.rate_divisro=2"), "scale.rate_divisro", "unknown key", "did you mean 'rate_divisor'?"),
        (("--set", "seed"), "seed", "", "write it as path=value"),
        (("--set", "data.replication=9"), "data.replication", "9", "give at most that"),
        (("--spec", "thesiss"), "experiment", "'thesiss'", "did you mean 'thesis'?"),
        (("--spec", "no/such.yaml"), "no/such.yaml", "cannot be read", "give a YAML file"),
    ],
)
def test_a_wrong_option_is_answered_with_field_value_and_remedy(refused, command, words, field, value, remedy):
    (line,) = refused(command, *words)
    assert line.lstrip("'").startswith(field)
    assert value in line
    assert remedy in line


def test_more_containers_than_slots(refused):
    (line,) = refused("place", document=wanted(workload=[{"profile": "kmeans", "containers": 65}]))
    assert line.startswith("workload.kmeans-1.containers: 65: the cluster has 64 slots (8 nodes x 8)")
    assert "ask for fewer" in line


def test_more_containers_than_memory(refused):
    node = {"memory_bytes": "8 GiB"}
    (line,) = refused("place", document=wanted(node=node, workload=[{"profile": "kmeans", "containers": 24}]))
    assert line.startswith("workload.kmeans-1.containers: 24: the cluster has 16 slots (8 nodes x 2, of 3072 MiB and")


def test_weights_of_nothing(refused):
    strategy = {"name": "neawa", "weights": {"kmean": {"closeness": 0, "locality": 1}}}
    (line,) = refused("place", document=wanted(strategies=[strategy]))
    assert line.startswith("strategies.0.weights: 'kmean': no such job or profile; did you mean 'kmeans'?")


def test_a_job_of_what_is_no_run(refused, tmp_path):
    (line,) = refused("show", str(results(tmp_path).path), "--job", "kmeans-1")
    assert line.startswith("--job kmeans-1: ")


def test_calibration_of_several_networks(refused):
    (line,) = refused("calibrate", "--blocking-factor", "1", "5")
    assert line.startswith("topology.blocking_factor: ")
    assert "one network is measured at a time" in line


def test_an_unknown_profile(refused):
    (line,) = refused("place", document=wanted(workload=["kmean"]))
    assert line == "workload.jobs.0.profile: 'kmean': unknown profile; did you mean 'kmeans'?"


def test_a_job_that_names_no_input(refused, tmp_path):
    profile = {
        "name": "empty",
        "description": "Reads nothing.",
        "provenance": "Made up.",
        "weights": {"closeness": 0.5, "locality": 0.5},
        "input_bytes": 1_000_000_000,
        "containers": 4,
        "slots_per_container": 1,
        "memory_mb": 1024,
        "vcores": 1,
        "stages": [{"name": "a", "inputs": [{"from": "nowhere"}]}],
    }
    path = tmp_path / "empty.yaml"
    path.write_text(yaml.safe_dump(profile))
    (line,) = refused("place", document=wanted(workload=[str(path)]))
    assert line.startswith("workload: ")
    assert "nowhere" in line


def test_yaml_that_is_none_is_refused_at_its_line_and_column(refused):
    (line,) = refused("run", document="name: x\nstrategies: [default\nworkload: mixed-high\n")
    assert re.match(r"wanted\.yaml:3:\d+: not YAML: ", line)


def test_everything_that_is_wrong_is_said_at_once(refused):
    lines = refused("run", document=wanted(strategies=["defualt"], data={"replication": 9}, repeats=1))
    assert [line.partition(":")[0] for line in lines] == ["strategies.0.name", "data.replication"]


@pytest.mark.parametrize("command", ["run", "calibrate"])
def test_a_port_that_does_not_exist(refused, command):
    (line,) = refused(command, "--http-port", "70000")
    assert line == "--http-port 70000: give a port from 1 to 65535, or 0 for a free one"


@pytest.mark.parametrize(
    "words",
    [
        ("run",),
        ("calibrate",),
        ("calibrate-weights",),
        ("sweep", "--vary", "seed=1,2"),
    ],
)
def test_a_congestion_control_that_this_kernel_lacks_is_refused_before_anything_is_made(refused, words, tmp_path):
    output = ("--output", str(tmp_path / "results")) if words != ("calibrate",) else ()
    (line,) = refused(*words, *output, "--set", "network.congestion_control=no_such")
    assert line.startswith("network.congestion_control: 'no_such': this kernel has ")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("command", ["run", "calibrate"])
def test_an_emulation_without_root(refused, command):
    (line,) = refused(command)
    assert "needs root" in line
    assert "sudo" in line


def test_what_may_not_be_touched_takes_the_right_to(refused, monkeypatch):
    def deny():
        raise PermissionError(errno.EACCES, "Permission denied", "/run/placement-testbed/lock")

    monkeypatch.setattr(isolation, "clean_up", deny)
    (line,) = refused("clean")
    assert line.startswith("/run/placement-testbed/lock: Permission denied; start again with sudo")


def test_options_without_a_command_mean_run(refused):
    (line,) = refused("--strategy", "neawaa")
    assert "did you mean 'neawa'?" in line


@pytest.mark.parametrize("command", ["report", "show"])
def test_a_folder_that_holds_no_results(refused, command, tmp_path):
    (line,) = refused(command, str(tmp_path))
    assert str(tmp_path) in line
    assert "give one" in line


@pytest.mark.parametrize("source", ["def broken(:", "1 / 0"])
def test_a_strategy_whose_module_fails_is_named(refused, tmp_path, monkeypatch, source):
    (tmp_path / "of_my_own.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    (line,) = refused("place", "--strategy", "of_my_own:Mine")
    assert "'of_my_own:Mine'" in line
    assert "give an importable module:Class" in line


def test_a_relative_strategy_is_refused(refused):
    assert "give an importable module:Class" in refused("place", "--strategy", ".here:Mine")[0]


@pytest.mark.parametrize(
    "words",
    [
        *(("show",), ("report",), ("calibrate-volumes",), ("import",), ("sweep",)),
        *((command, "--resume") for command in ("run", "sweep", "calibrate-weights")),
        *(("place", option) for option in ("--spec", "--workload")),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("end", ["", ".yaml"])
def test_a_name_that_is_too_long_for_a_file(refused, words, end):
    (line,) = refused(*words, 300 * "x" + end)
    assert 50 * "x" in line


def test_resuming_what_never_ran(refused, tmp_path):
    (line,) = refused("run", "--resume", str(tmp_path / "nothing"))
    assert "no folder of results" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--bogus"), "unrecognized arguments: --bogus"),
        (("rnu",), "unrecognized arguments: rnu|invalid choice: 'rnu'"),
        (("run", "--http-port", "x"), "argument --http-port: invalid"),
        (("run", "--blocking-factor"), "argument --blocking-factor: expected at least one argument"),
        (("report",), "the following arguments are required: folder"),
    ],
)
def test_words_that_are_not_known_are_named_last(capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 2
    assert re.search(said, capsys.readouterr().err.splitlines()[-1])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(st.sampled_from(("seed", "scale.rate_divisor", "topology", "strategies", "nosuch", "workload")), st.text())
def test_no_value_makes_a_traceback(monkeypatch, capsys, path, text):
    """Whatever is assigned is either accepted, and then refused for want of root, or refused itself."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["run", "--set", f"{path}={text}"]) == 2
    expected = ["an emulated network needs root: start again with sudo"]
    try:
        specification("run", "--set", f"{path}={text}")
    except SpecificationError as error:
        expected = list(error.problems)
    assert capsys.readouterr().err.splitlines() == [f"error: {line}" for line in expected]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_explains_itself(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: run_testbed.py {command}".rstrip())
    assert all(name in out for name in (COMMANDS if not command else (command,)))
    assert re.search(r"^examples?:\n  (sudo )?python run_testbed.py", out, re.MULTILINE)
    assert "exit codes:" in out


def test_an_option_given_twice_adds_to_itself():
    words = "run --set seed=7 --set repeats=2 node.slots=9 --strategy packed --strategy random"
    found = specification(*words.split())
    assert (found.seed, found.repeats, found.node.slots) == (7, 2, 9)
    assert [strategy.name for strategy in found.strategies] == ["packed", "random"]


def test_values_that_are_set_are_those_of_what_other_options_name():
    words = ["run", "--strategy", "default", "neawa", "--set", "strategies.1.options.cost=product"]
    found = specification(*words, "--workload", "kmeans-mid", "--set", "workload.shuffle_factors={kmeans: 2}")
    assert [strategy.name for strategy in found.strategies] == ["default", "neawa"]
    assert found.strategies[1].options == {"cost": "product"}
    assert (found.workload.preset, found.workload.shuffle_factors) == ("kmeans-mid", {"kmeans": 2})


def test_options_reach_the_specification():
    words = "run --blocking-factor 1 2.5 --strategy packed random --workload q3-mid --seed 7 --repeats 3"
    found = specification(*words.split(), "--set", "scale.rate_divisor=auto")
    assert found.topology.blocking_factor == (1, 2.5)
    assert [strategy.name for strategy in found.strategies] == ["packed", "random"]
    assert (found.workload.preset, found.seed, found.repeats) == ("q3-mid", 7, 3)
    assert found.scale.rate_divisor == "auto"


def test_the_dry_run_has_every_strategy_and_places_every_job(capsys):
    words = ["place", "--json", "--workload", "kmeans-mid", "--strategy", "default", "neawa", "coloc", "packed"]
    assert main(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["strategy"] for one in document["strategies"]] == ["default", "neawa", "coloc", "packed"]
    assert all(len(one["jobs"]) == 3 for one in document["strategies"])
    assert all(len(job["workers"]) == 11 for one in document["strategies"] for job in one["jobs"])


def test_the_dry_run_draws_every_rack(capsys):
    assert main(["place", "--workload", "kmeans-mid", "--strategy", "default"]) == 0
    out = capsys.readouterr().out
    assert all(f"rack {number}" in out for number in range(1, 5))


def test_the_schema_is_the_specifications(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(specification_file.json_schema()))


def test_results_are_shown_as_a_table_and_as_json_and_reported_again(capsys, tmp_path):
    folder = results(tmp_path, "strategies=[default, neawa]")
    assert main(["show", str(folder.path)]) == 0
    assert "neawa" in capsys.readouterr().out
    assert main(["show", "--json", str(folder.path)]) == 0
    (network,) = json.loads(capsys.readouterr().out)["networks"]
    assert [one["strategy"] for one in network["strategies"]] == ["default", "neawa"]
    (folder.path / "report.html").unlink(missing_ok=True)
    assert main(["report", str(folder.path)]) == 0
    assert capsys.readouterr().out.strip() == str(folder.path / "report.html")
    assert (folder.path / "report.html").stat().st_size > 10_000


def test_what_a_run_used_fits_the_terminal_with_all_columns(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    (run,) = results(tmp_path, "strategies=[default]").runs()
    used = dict.fromkeys(("cpu_s", "disk_bytes", "sent_bytes", "received_bytes", "memory_bytes"), 10**9)
    series.write(run.path / "events.parquet", [{"time_s": 5.0, "kind": "sample", "host": "h1", **used}], series.EVENTS)
    assert main(["show", str(run.path)]) == 0
    out = capsys.readouterr().out
    assert "…" not in out
    assert all(out.count(unit) == 2 for unit in ("cores", "memory", "received"))


def test_a_folder_may_be_named_by_a_link(capsys, tmp_path, monkeypatch):
    folder = results(tmp_path, "strategies=[default, neawa]")
    (tmp_path / "latest").symlink_to(folder.path.name)
    monkeypatch.chdir(tmp_path)
    assert main(["show", "latest"]) == 0
    assert "neawa" in capsys.readouterr().out


def test_a_link_within_a_folder_is_refused_by_name(refused, tmp_path):
    folder = results(tmp_path, "strategies=[default]").path
    (folder / "runs").rename(tmp_path / "elsewhere")
    (folder / "runs").symlink_to(tmp_path / "elsewhere")
    (line,) = refused("show", str(folder))
    assert f"{folder / 'runs'}: a symbolic link" in line
    assert "give what it leads to" in line


def test_what_a_foreign_record_holds_does_not_steer_the_terminal(capsys, tmp_path):
    folder = results(tmp_path, "repeats=1", "strategies=[default]")
    (run,) = folder.runs()
    file = run.path / "record.json"
    record = json.loads(file.read_text())
    record |= {"status": "failed", "reason": "\x1b]0;owned\x07"}
    file.write_text(json.dumps(record))
    assert main(["show", str(folder.path)]) == 0
    assert "\N{REPLACEMENT CHARACTER}" in (out := capsys.readouterr().out)
    assert not {"\x1b", "\x07"} & set(out)
    file.write_text(json.dumps({**record, "status": "\x1b]0;owned\x07"}))
    assert main(["show", str(run.path)]) == 2
    assert not {"\x1b", "\x07"} & set(capsys.readouterr().err)


def test_rows_in_files_are_not_folded_to_80_columns(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert main(["sweep", "--list", "table-6.2-factors"]) == 0
    assert "workload preset cc-mid, connected-components 0.25 " in capsys.readouterr().out
    assert "COLUMNS" not in os.environ  # which would be that of other consoles, too


def test_the_doctor_speaks_to_programs_too(capsys):
    assert main(["doctor", "--json"]) in (0, 1)
    assert json.loads(capsys.readouterr().out)


def test_root_runs_no_code_that_everybody_can_change(tmp_path, monkeypatch, refused):
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "__init__.py").write_text("")
    (tmp_path / "room").chmod(0o777)
    monkeypatch.setattr("experiments.commands.main._ROOT", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (line,) = refused("doctor")
    assert line.endswith(f"everybody can write {tmp_path / 'room'}; `chmod -R o-w {tmp_path}`")
