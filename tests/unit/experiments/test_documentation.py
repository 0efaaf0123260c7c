"""What the documentation of this room says is what the code does."""

import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from experiments.documents.quantities import parse_bytes
from experiments.records import series
from experiments.records.record import JobRecord, RunRecord
from experiments.specification.model import Specification
from experiments.specification.specification_file import loads, override
from tests.unit.experiments.synthetic import results, specification

EXPERIMENTS = Path("docs/experiments.md").read_text(encoding="utf-8")
FORMAT = Path("docs/results-format.md").read_text(encoding="utf-8")

COLUMNS = [series.EVENTS, series.LINKS, series.FIDELITY, series.DELAYS, series.FILES, series.TRANSACTIONS]


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("text", blocks(EXPERIMENTS, "yaml"))
def test_every_specification_in_the_text_is_accepted(text):
    loads(text)


def test_every_override_in_the_text_is_accepted():
    (line,) = re.findall(r"^    .*--set (.*)$", EXPERIMENTS, re.MULTILINE)
    assignments = shlex.split(line)
    assert len(assignments) == 3
    override(specification(), assignments)


def keys(model: type[BaseModel], prefix=""):
    for python_name, field in model.model_fields.items():
        name = field.alias or python_name
        inner = re.search(r"(experiments\.specification\.\w+)\.([A-Z]\w+Spec)\b", str(field.annotation))
        part = getattr(importlib.import_module(inner[1]), inner[2]) if inner else None
        listed = "[]" if "tuple" in str(field.annotation) else ""
        if part is None or name == "weights":
            yield f"{prefix}{name}"
        else:
            yield from keys(part, f"{prefix}{name}{listed}.")


def test_every_key_is_in_the_reference():
    missing = [key for key in keys(Specification) if f"`{key}`" not in EXPERIMENTS]
    assert missing == []


@pytest.mark.parametrize("columns", COLUMNS)
def test_every_column_is_described_in_the_words_of_the_code(columns):
    for name, (kind, about) in columns.items():
        assert f"| `{name}` | {kind} | {about} |" in FORMAT


@pytest.mark.parametrize("model", [RunRecord, JobRecord])
def test_every_field_of_a_record_is_described(model):
    for name in model.model_fields:
        assert f"`{name}" in FORMAT, name


def test_the_polars_example_runs(tmp_path):
    folder = results(tmp_path, "strategies=[default, neawa]", doubtful=("r00-bf5-neawa",))
    (code,) = [block for block in blocks(FORMAT, "python") if "polars" in block]
    names: dict[str, Any] = {}
    exec(code.replace("results/20260302T093000-thesis", str(folder.path)), names)
    read = {Path(path).parent.name for path in names["events"].collect()["run"].unique()}
    assert read == {run.run_id for run in folder.runs()} - {"r00-bf5-neawa"}


@pytest.mark.parametrize("language", ["python", "sql", "r"])
def test_examples_on_several_runs_leave_those_out_that_are_not_trusted(language):
    examples = blocks(FORMAT, language)
    assert examples
    assert all("trusted" in code for code in examples if "runs/*" in code)


def test_the_defaults_in_the_reference_are_those_of_the_code():
    least = "name: a\nstrategies: [default]\nworkload: mixed-high\nretention: {track: a}\n"
    defaults = loads(least).model_dump()
    compared = 0
    for key, text in re.findall(r"^\| `([a-z_.]+)` \| `?([^|`]+?)`? \|", EXPERIMENTS, re.MULTILINE):
        if text == "required":
            continue
        value = defaults
        for part in key.split("."):
            value = value[part]
        if isinstance(value, (str, bool)):
            assert text == (value if isinstance(value, str) else str(value).lower()), key
        elif isinstance(value, (int, float)):
            assert (parse_bytes(text) if key.endswith("_bytes") else float(text)) == value, key
        else:
            continue
        compared += 1
    assert compared > 20


def test_links_between_documents_lead_somewhere():
    for text in (EXPERIMENTS, FORMAT):
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (Path("docs") / target).exists(), target
