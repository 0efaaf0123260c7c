"""What a run made under sudo becomes the caller's, and nothing else does."""

import os
from pathlib import Path

import pytest

from experiments.documents.nofollow import FileError
from experiments.records.ownership import give_to_caller, make_folder


@pytest.fixture
def given(monkeypatch):
    """Who got what under sudo: files and folders by their paths."""
    owners = {}

    def name_of(file):
        return str(Path(f"/proc/self/fd/{file}").readlink()) if isinstance(file, int) else str(file)

    def chown(file, user, group, dir_fd=None, **_):
        owners[name_of(file if dir_fd is None else dir_fd)] = (user, group)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", chown)
    monkeypatch.setattr(os, "fchown", chown)
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setenv("SUDO_GID", "100")
    return owners


def test_a_folder_with_all_in_it_is_handed_over_and_the_one_that_it_lies_in_is_not(given, tmp_path):
    path = tmp_path / "results" / "thesis"
    (path / "runs").mkdir(parents=True)
    (path / "runs" / "record.json").touch()
    give_to_caller(path)
    assert given == dict.fromkeys(map(str, (path, path / "runs", path / "runs" / "record.json")), (1000, 100))


def test_named_files_beside_it_are_handed_over(given, tmp_path):
    path = tmp_path / "thesis"
    path.mkdir()
    for name in (".cache", "somebody-elses"):
        (tmp_path / name).touch()
    give_to_caller(path, ".cache", ".not-there")
    assert set(given) == {str(path), str(tmp_path / ".cache")}


def test_links_lead_nowhere(given, tmp_path):
    path, secret = tmp_path / "thesis", tmp_path / "secret"
    path.mkdir()
    (secret / "inside").mkdir(parents=True)
    (secret / "file").touch()
    (path / "to-file").symlink_to(secret / "file")
    (path / "to-folder").symlink_to(secret)
    os.link(secret / "file", path / "second-name")
    os.mkfifo(path / "pipe")
    give_to_caller(path)
    assert set(given) == {str(path)}


def test_what_others_own_stays_theirs(given, tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").touch()
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    give_to_caller(tmp_path / "a")
    assert given == {}


def test_a_folder_changes_hands_after_what_is_in_it(given, tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    (tmp_path / "a" / "file").touch()
    give_to_caller(tmp_path / "a")
    order = list(given)
    assert all(order.index(str(inner)) < order.index(str(inner.parent)) for inner in (tmp_path / "a").rglob("*"))


def test_a_folder_swapped_for_a_link_is_refused(given, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    for function in (make_folder, give_to_caller):
        with pytest.raises(FileError, match=f"{tmp_path}/a: a symbolic link"):
            function(tmp_path / "a")
    assert given == {}


def test_only_folders_that_were_missing_are_made_for_the_caller(given, tmp_path):
    make_folder(tmp_path / "a" / "b")
    assert set(given) == {str(tmp_path / "a"), str(tmp_path / "a" / "b")}
    given.clear()
    make_folder(tmp_path / "a" / "b")
    assert given == {}


@pytest.mark.parametrize(("user", "group"), [("", ""), ("1000", ""), ("me", "100"), ("-1", "100"), ("0x1", "1")])
def test_without_a_caller_nothing_changes_hands(user, group, given, tmp_path, monkeypatch):
    monkeypatch.setenv("SUDO_UID", user)
    monkeypatch.setenv("SUDO_GID", group)
    make_folder(tmp_path / "a")
    give_to_caller(tmp_path / "a")
    assert given == {}


def test_without_root_nothing_changes_hands(given, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    give_to_caller(tmp_path)
    assert given == {}
