"""Whether somebody else than root and the caller could change what is about to be read."""

import grp
import os
import pwd
from types import SimpleNamespace

import pytest

from experiments.documents.caller import code_for_all, others_access

OTHER = 54321

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def file(tmp_path):
    folder = tmp_path / "outer" / "inner"
    folder.mkdir(parents=True)
    path = folder / "mine.py"
    path.write_text("")
    for each in (folder.parent, folder):
        each.chmod(0o755)
    path.chmod(0o644)
    return path


def test_what_only_the_caller_can_write_is_trusted(file):
    assert others_access(file) is None


@pytest.mark.parametrize("which", ["file", "folder", "folder above"])
def test_what_everybody_can_write_is_told_with_the_remedy(file, which):
    path = {"file": file, "folder": file.parent, "folder above": file.parent.parent}[which]
    path.chmod(0o777)
    assert others_access(file) == (
        f"everybody can write {path}; `chmod o-w {path}`, or copy it to where nobody but you can write"
    )
    path.chmod(0o755)
    assert others_access(file) is None


def test_a_folder_with_the_sticky_bit_keeps_others_from_replacing(file):
    file.parent.parent.chmod(0o1777)
    assert others_access(file) is None


@as_root
@pytest.mark.parametrize("which", ["file", "folder", "folder above"])
def test_what_belongs_to_another_user_is_not_trusted(file, which):
    path = {"file": file, "folder": file.parent, "folder above": file.parent.parent}[which]
    os.chown(path, OTHER, 0)
    assert f"{path} belongs to user {OTHER}; copy it" in others_access(file)


@as_root
def test_a_file_of_another_user_in_a_folder_for_all_is_not_trusted(file):
    file.parent.chmod(0o1777)
    os.chown(file, OTHER, 0)
    assert f"{file} belongs to user {OTHER}" in others_access(file)


@as_root
def test_who_called_sudo_is_trusted(file, monkeypatch):
    os.chown(file, OTHER, OTHER)
    monkeypatch.setenv("SUDO_UID", str(OTHER))
    monkeypatch.setenv("SUDO_GID", str(OTHER))
    assert others_access(file) is None


@pytest.mark.parametrize(("members", "trusted"), [([], True), (["root"], True), (["root", "bob"], False)])
def test_a_group_is_trusted_as_far_as_its_members_are(file, monkeypatch, members, trusted):
    me = SimpleNamespace(pw_name="me", pw_uid=os.geteuid(), pw_gid=file.stat().st_gid)
    others = [SimpleNamespace(pw_name=name, pw_uid=uid, pw_gid=-2) for name, uid in (("root", 0), ("bob", OTHER))]
    monkeypatch.setattr(pwd, "getpwall", lambda: [me, *others])
    monkeypatch.setattr(grp, "getgrgid", lambda gid: SimpleNamespace(gr_name="staff", gr_mem=members))
    file.chmod(0o664)
    reason = others_access(file)
    assert (reason is None) == trusted
    assert trusted or f"others of group staff can write {file}; `chmod g-w {file}`" in reason


def test_an_access_list_counts_as_others_of_the_group(file, monkeypatch):
    monkeypatch.setattr(os, "listxattr", lambda path: ["system.posix_acl_access"])
    file.chmod(0o664)
    assert "can write" in others_access(file)


def test_where_links_lead_counts_and_so_does_where_they_lie(file, tmp_path):
    (tmp_path / "links").mkdir(mode=0o755)
    link, further = tmp_path / "links" / "inner", tmp_path / "further"
    link.symlink_to(file.parent)
    further.symlink_to(link)
    assert others_access(further / file.name) is None
    for open_to_all in (tmp_path / "links", file.parent.parent):
        open_to_all.chmod(0o777)
        assert f"everybody can write {open_to_all}" in others_access(further / file.name)
        open_to_all.chmod(0o755)


@as_root
def test_a_link_of_another_user_is_not_trusted(file, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(file.parent)
    os.chown(link, OTHER, 0, follow_symlinks=False)
    assert f"{link} belongs to user {OTHER}" in others_access(link / file.name)


@pytest.mark.parametrize("which", ["checkout", "package", "module", "subpackage"])
def test_packages_that_everybody_can_write_are_told_with_the_remedy(tmp_path, which):
    root = tmp_path / "checkout"
    package = root / "package"
    (package / "sub").mkdir(parents=True)
    (root / "results").mkdir()
    for path in (package / "__init__.py", package / "sub" / "module.py", package / "data.yaml"):
        path.write_text("")
    for path in (root, *root.rglob("*")):
        path.chmod(0o755)
    (root / "results").chmod(0o777)  # no package
    (package / "data.yaml").chmod(0o666)  # no code
    (package / "gone.py").symlink_to("nowhere")
    assert code_for_all(root) is None
    opened = {
        "checkout": root,
        "package": package,
        "module": package / "sub" / "module.py",
        "subpackage": package / "sub",
    }[which]
    opened.chmod(0o777)
    assert code_for_all(root) == f"everybody can write {opened}; `chmod -R o-w {root}`"


@as_root
def test_packages_of_a_user_are_that_users_matter(tmp_path):
    package = tmp_path / "package"
    package.mkdir(mode=0o755)
    (package / "__init__.py").write_text("")
    for path in (tmp_path, package, package / "__init__.py"):
        os.chown(path, OTHER, 0)
    assert code_for_all(tmp_path) is None
