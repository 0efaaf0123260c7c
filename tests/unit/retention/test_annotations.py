import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.annotations import AgePolicy, Annotations, Usage, matches

NAMES = st.text("ab/.x", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("pattern", "there", "elsewhere"),
    [
        ("/archive/*", ["/archive/a", "/archive/.a"], ["/archive/a/b", "/archive", "/other/a"]),
        ("/archive/**", ["/archive/a", "/archive/a/b"], ["/archive"]),
        ("**/part-?", ["part-1", "job/output/part-2", "/a/part-3"], ["part-11", "a/part-"]),
        ("/a[1].csv", ["/a[1].csv"], ["/a1.csv"]),
    ],
)
def test_patterns_match_as_in_a_shell(pattern, there, elsewhere):
    assert [name for name in there if not matches(pattern, name)] == []
    assert [name for name in elsewhere if matches(pattern, name)] == []


@given(NAMES, st.text("ab?*.", min_size=1, max_size=6).filter(lambda pattern: "**" not in pattern))
def test_without_folders_patterns_are_those_of_fnmatch(name, pattern):
    if "/" not in name:
        assert matches(pattern, name) == fnmatch.fnmatchcase(name, pattern)


@given(NAMES)
def test_a_name_matches_itself_and_two_stars_match_everything(name):
    assert matches("**", name)
    assert matches(name.replace("*", ""), name)


def test_old_files_that_are_read_and_not_changed_are_due():
    policy = AgePolicy(age_s=100, unchanged_s=50, reads=2, changes=1)
    files = {
        "kept": Usage(0, 40, reads=2, changes=1),
        "young": Usage(10, 10, reads=5),
        "changed lately": Usage(0, 60, reads=5),
        "unread": Usage(0, 0, reads=1),
        "changed often": Usage(0, 0, reads=5, changes=2),
        "tracked": Usage(0, 0, reads=5),
    }
    assert Annotations(policies=(policy,)).due(files, ["tracked"], 100.0) == ("kept",)
    assert Annotations(named=frozenset({"young"}), patterns=("chang*",)).due(files, (), 0.0) == (
        "young",
        "changed lately",
        "changed often",
    )
    assert Annotations().due(files, (), 1e9) == ()
