"""YAML of others: what does not fit its tag, is too much or too deep is refused in a line."""

import pickle

import pytest

from experiments.documents import yaml_document
from experiments.documents.diagnostics import SpecificationError

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: !!bool x", "not YAML: KeyError"),
        ("a: !!timestamp x", "not YAML"),
        ("a: !!map [a]", "not YAML"),
        ('a: !!binary "//79"', "not YAML: binary data; write a text"),
        ("a: !!python/object/apply:os.abort []", "not YAML"),
        ("a: " + "[" * 3000, "deeper than 64"),
        ("a: " + "[" * 70 + "]" * 70, "deeper than 64 levels"),
        ("a: &a [*a]", "a value that holds itself"),
        (BOMB, "more than 200000 values"),
        ("a: " + "9" * 5000, "not YAML: ValueError"),
        ('a: "\\ud800"', "the control character"),
        ('a: "\\e[31m"', "the control character"),
    ],
)
def test_what_is_no_document_is_refused(text, said):
    with pytest.raises(SpecificationError, match=r"^s:.*not YAML") as refused:
        yaml_document.parse(text, "s")
    (line,) = refused.value.problems
    assert said in line
    with pytest.raises(SpecificationError, match="quote it"):
        yaml_document.value("path", text.removeprefix("a: "))


def test_an_alias_may_be_used_often():
    document = yaml_document.parse('a: &a [1, 2]\nb: [*a, *a]\nc: "tab\\t, line\\n, umlaut ü"', "s")
    assert document.content == {"a": [1, 2], "b": [[1, 2], [1, 2]], "c": "tab\t, line\n, umlaut ü"}


def test_a_refusal_arrives_whole_from_another_process():
    refusal = SpecificationError(["first", "second"])
    assert pickle.loads(pickle.dumps(refusal)).problems == refusal.problems
