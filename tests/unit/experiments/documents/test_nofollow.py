"""Files are reached by their paths and through no link, wherever on the path somebody puts one."""

import contextlib
import os
from pathlib import Path

import pytest

from experiments.documents.atomic import write_text
from experiments.documents.nofollow import (
    FileError,
    appending,
    folder,
    followed,
    make_folder,
    make_new_folder,
    read_text,
)

DEPTH = 3


def append(path):
    with appending(path) as file:
        file.write(b"more")


def enter(path):
    with folder(path.parent):
        pass


USES = {
    "read": read_text,
    "write": lambda path: write_text(path, "new"),
    "append": append,
    "enter": enter,
    "make": lambda path: make_folder(path.parent / "made"),
    "make new": lambda path: make_new_folder(path.parent / "made"),
}


@pytest.fixture
def path(tmp_path):
    """A file below some folders."""
    path = tmp_path.joinpath(*(f"folder-{depth}" for depth in range(DEPTH)), "file")
    path.parent.mkdir(parents=True)
    path.write_text("old")
    return path


def tree(top):
    return {str(path.relative_to(top)): path.is_dir() or path.read_text() for path in top.rglob("*")}


@pytest.mark.parametrize("use", USES)
def test_without_links_every_use_does_what_it_says(use, path, monkeypatch):
    USES[use](path)
    made = {"made"} if use.startswith("make") else set()
    assert {entry.name for entry in path.parent.iterdir()} == {"file"} | made
    assert path.read_text() == {"write": "new", "append": "oldmore"}.get(use, "old")
    monkeypatch.chdir(path.parents[1])
    assert read_text(path.relative_to(path.parents[1])) == path.read_text()


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("depth", range(DEPTH))
def test_a_folder_on_the_path_that_is_a_link_is_refused_and_what_it_leads_to_stays(
    use, relative, depth, path, tmp_path, monkeypatch
):
    place = tmp_path.joinpath(*(f"folder-{number}" for number in range(depth + 1)))
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    before = tree(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match=f"{place.name}: a symbolic link"):
        USES[use](path.relative_to(tmp_path) if relative else path)
    assert tree(tmp_path / "elsewhere") == before


@pytest.mark.parametrize("target", ["secret", "not-there"])
def test_a_file_that_is_a_link_is_not_read_or_appended_to_but_replaced(target, path, tmp_path):
    (tmp_path / "secret").write_text("secret")
    path.unlink()
    path.symlink_to(tmp_path / target)
    for use in (read_text, append):
        with pytest.raises(FileError, match="file: a symbolic link"):
            use(path)
    write_text(path, "new")
    assert not path.is_symlink()
    assert path.read_text() == "new"
    assert tree(tmp_path)["secret"] == "secret"
    assert not (tmp_path / "not-there").exists()


def test_pipes_are_refused_at_once(path):
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(FileError, match="no regular file"):
        read_text(path)
    with pytest.raises((FileError, OSError)):
        append(path)


def test_nothing_is_appended_to_a_file_with_a_second_name(path, tmp_path):
    os.link(path, tmp_path / "second")
    with pytest.raises(FileError, match="second name"):
        append(path)
    assert path.read_text() == "old"


def test_what_is_no_text_is_refused_by_name(path):
    path.write_bytes(b"\xff")
    with pytest.raises(FileError, match="file: not a text in UTF-8"):
        read_text(path)


@pytest.mark.parametrize("use", ["read", "write", "append", "enter", "make new"])
def test_errors_name_the_whole_path(use, path):
    missing = path.parent / "missing" / "file"
    with pytest.raises(FileNotFoundError) as caught:
        USES[use](missing)
    assert caught.value.filename == str(missing.parent)


def test_missing_folders_are_made_and_handed_on_from_the_top(tmp_path):
    seen = []
    make_folder(
        tmp_path / "a" / "b", lambda descriptor: seen.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
    )
    assert seen == [str(tmp_path / "a"), str(tmp_path / "a" / "b")]
    make_folder(tmp_path / "a" / "b", lambda _: pytest.fail("was there"))
    with pytest.raises(FileExistsError):
        make_new_folder(tmp_path / "a" / "b")


def test_links_of_a_given_path_are_followed_once(path, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(path.parent)
    assert read_text(followed(tmp_path / "link" / "file")) == "old"
    assert followed(tmp_path / "link" / "not" / "there") == path.parent / "not" / "there"
    monkeypatch.chdir(tmp_path)
    for given in ("file", "folder-0", "folder-0/../folder-0", "not/there", ".", "..", "/", str(path)):
        assert str(followed(given)) == str(Path(given))
    (tmp_path / "dangling").symlink_to(tmp_path / "not-mounted")
    with pytest.raises(FileError, match="dangling: a symbolic link"):
        make_folder(followed("dangling"))
    assert not (tmp_path / "not-mounted").exists()


def test_no_descriptor_stays_open(path, tmp_path):
    (tmp_path / "link").symlink_to(path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for use in USES.values():
        for where in (path, path.parent / "missing" / "file", tmp_path / "link"):
            with contextlib.suppress(OSError, FileError):
                use(where)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
