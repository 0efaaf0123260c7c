"""The command `retention`: what the ledger of a run proves, on a real one."""

import json

import pytest
import yaml

from experiments.commands.main import main
from experiments.records.record import RunRecord
from experiments.records.results_folder import ResultsFolder
from experiments.records.retention import StoredFile, file_digest, stored_document, stored_files
from experiments.runs.retained_run import validation
from experiments.specification import specification_file
from tests.emulation.small_run import specification
from tests.unit.experiments.synthetic import results
from tests.unit.retention import real_ledger

FILES = [
    {"operation": "create", "file": "/archive/a", "bytes": "100 MB", "host": "h2", "user": "ann"},
    {"operation": "change", "file": "/archive/a", "bytes": "50 MB", "at_s": 60, "host": "h3", "user": "bob"},
    {"operation": "create", "file": "/archive/gone", "bytes": "1 MB"},
    {"operation": "delete", "file": "/archive/gone", "at_s": 100},
    {"operation": "create", "file": "/tmp/b", "bytes": 10},
]


@pytest.fixture
def run(tmp_path, capsys):
    """Folder of a run that retained files, one of which has an altered replica."""
    real_ledger.require()
    wanted = specification(
        tmp_path,
        strategies=["default"],
        workload=[{"profile": str(tmp_path / "join.yaml"), "job_id": "join"}],
        data={"replication": 2, "block_bytes": "20 MB"},
        files=FILES,
        failures=[{"at_s": 100, "corrupt": {"file": "/archive/a", "block": 1, "host": "h3"}}],
        retention={"track": "/archive/**"},
    )
    path = tmp_path / "wanted.yaml"
    path.write_text(specification_file.dump(wanted))
    words = ("--spec", str(path), "--output", str(tmp_path / "results"), "--processes", "1", "--quiet")
    assert main(["simulate", *words]) == 0
    capsys.readouterr()
    (folder,) = ResultsFolder.open(next((tmp_path / "results").iterdir())).runs()
    return folder


@pytest.fixture
def said(run, capsys):
    """Asks; exit code and lines."""

    def ask(action, *words):
        code = main(["retention", action, str(run.path), *words])
        return code, capsys.readouterr().out.splitlines()

    return ask


def test_an_audit_finds_what_was_altered(said):
    altered = "/archive/a: block 1 on h3 was altered"
    assert said("audit") == (1, [altered, "2 tracked files, 1 of them not as they were kept"])
    assert said("validate", "/archive/a") == (1, [altered])
    code, lines = said("audit", "--json")
    assert (code, json.loads("\n".join(lines))["altered"][0]["altered"]) == (1, [[1, "h3"]])


def test_an_audit_finds_what_was_tampered_with_afterwards(run, said):
    """Replicas of a block that were all altered, a file that is gone, and one that is there although it was deleted."""
    file = run.retention / "files.json"
    known = {one.name: one for one in stored_files(file.read_text())}
    blocks = known["/archive/a"].blocks or ()
    known["/archive/a"] = StoredFile("/archive/a", known["/archive/a"].key, (dict.fromkeys(blocks[0], 1), *blocks[1:]))
    known["/archive/gone"] = StoredFile("/archive/gone", known["/archive/gone"].key, ({"h1": 5},))
    file.write_text(stored_document(known.values()))
    code, lines = said("audit")
    assert code == 1
    assert {line.split(": ")[1] for line in lines[:-1]} == {"altered", "deleted and still there"}
    assert said("validate", "/archive/a")[1] == [
        "/archive/a: altered; no replicas of its blocks are those that were kept"
    ]
    known["/archive/a"] = StoredFile("/archive/a", known["/archive/a"].key, None)
    file.write_text(stored_document(known.values()))
    assert any(line.startswith("/archive/a: gone without a record: ") for line in said("audit")[1])


def test_a_history_says_who_did_what_and_what_a_file_was_at_any_time(said):
    code, lines = said("history", "/archive/a", "--json")
    (entries,) = json.loads("\n".join(lines)).values()
    assert code == 0
    assert [(one["kind"], one["user"], one["uri"]) for one in entries] == [
        ("create", "ann", "/archive/a"),
        ("change", "bob", "/archive/a"),
    ]
    assert entries[0]["time_s"] < 60 <= entries[1]["time_s"]
    for time_s, entry in ((59, entries[0]), (10_000, entries[1])):
        assert said("history", "/archive/a", "--at", str(time_s)) == (0, [f"{entry['digest']}  /archive/a"])
    assert "ann" in said("history", "/archive/a")[1][2]


def test_a_file_is_annotated_once_and_tracked_from_then_on(said, refused, run):
    code, lines = said("annotate", "/tmp/*", "join/**")
    assert (code, lines[0]) == (0, "/tmp/b is tracked")
    assert len(lines) == 9
    assert said("validate", "/tmp/b", "join/left") == (0, ["/tmp/b: as it was kept", "join/left: as it was kept"])
    assert said("audit")[1][-1] == "10 tracked files, 1 of them not as they were kept"
    (line,) = refused("retention", "annotate", str(run.path), "/tmp/b")
    assert line == "/tmp/b: it is tracked already; `retention history` says since when"
    assert said("annotate", "/tmp/*") == (0, ["0 files are tracked from now on"])


def test_a_file_that_has_lost_its_address_is_found_by_the_index(run, said):
    file = run.retention / "files.json"
    file.write_text(stored_document(StoredFile(one.name, None, one.blocks) for one in stored_files(file.read_text())))
    assert said("validate", "/archive/a") == (1, ["/archive/a: block 1 on h3 was altered"])


def test_what_cannot_be_asked_is_refused_with_the_remedy(run, refused, tmp_path):
    def said(*words):
        (line,) = refused("retention", *words)
        return line

    folder = str(run.path)
    assert said("audit", folder, "/archive/a") == "audit: takes no files; it is about all that are tracked"
    assert said("validate", folder) == "validate: name a file"
    assert said("validate", folder, "/archive/b").endswith("did you mean '/archive/a'?")
    assert said("validate", folder, "/archive/gone") == ("/archive/gone: it was deleted; `retention history` says when")
    assert "the index knows no contract of it; annotate it first" in said("history", folder, "/tmp/b")
    assert said("validate", folder, "/archive/a", "--at", "3") == "--at 3: of `history` only; leave it out"
    assert "no entry at" in said("history", folder, "/archive/a", "--at", "0")
    assert "not the folder of a run" in said("audit", str(tmp_path))
    other = next(iter(results(tmp_path / "other", "strategies=[default]").runs()))
    assert said("audit", str(other.path)).endswith("no ledger there; give a run that retained files")
    failed = RunRecord.from_json((run.path / "record.json").read_text()).updated(status="failed", reason="so")
    (run.path / "record.json").write_text(failed.to_json())
    assert "failed, so that nobody knows what it left" in said("audit", folder)


def test_a_run_that_needs_a_ledger_is_refused_where_there_is_none(refused, monkeypatch, tmp_path):
    monkeypatch.setenv("ANVIL", "/nowhere/anvil")
    document = yaml.safe_load(specification_file.dump(specification(tmp_path, retention={"track": "**"})))
    (line,) = refused("simulate", "--output", str(tmp_path / "results"), document=document)
    assert line.startswith("anvil is not installed; run `python3 scripts/provision_retention.py`")
    assert not (tmp_path / "results").exists()


def test_replicas_are_told_apart_by_the_hash_of_the_file():
    """Whichever of them are more."""
    right = file_digest([1, 2, 3])
    file = StoredFile("a", "0", ({"h1": 1, "h2": 1}, {"h1": 9, "h2": 9, "h3": 2}, {"h3": 3}))
    found = validation(file, right.__eq__)
    assert (found.valid, found.altered) == (True, ((1, "h1"), (1, "h2")))
    lost = StoredFile("a", "0", ({"h1": 1}, {"h1": 9}, {}))
    assert not validation(lost, right.__eq__).valid


@pytest.mark.parametrize(
    "content", ["", "{", "[1]", '[{"name": 3}]', '[{"name": "a", "key": null, "blocks": [{"h": "x"}]}]']
)
def test_files_that_are_damaged_are_named(run, refused, content):
    (run.retention / "files.json").write_text(content)
    (line,) = refused("retention", "audit", str(run.path))
    assert line.startswith(f"{run.retention / 'files.json'}: damaged (")


@pytest.mark.parametrize("content", ["{", "[1]"])
@pytest.mark.parametrize("file", ["chain.json", "journal", "ledger.json"])
def test_a_ledger_that_is_damaged_is_named(run, refused, file, content):
    (run.retention / file).write_text(f"{content}\n")
    (line,) = refused("retention", "audit", str(run.path))
    assert line.startswith(str(run.retention))
    assert any(word in line for word in ("damaged", "anvil does not start"))
