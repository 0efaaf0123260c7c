"""What is written fits a head: no file over 400 lines, no function over 50. What is called comes back."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = (
    "controller",
    "examples",
    "experiments",
    "placement",
    "retention",
    "scripts",
    "tests",
    "topologies",
    "twin",
    "workloads",
)
FILES = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
MOST_LINES, MOST_OF_A_FUNCTION = 400, 50


def test_no_file_is_longer_than_400_lines():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in FILES}
    assert len(lengths) > 200
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_no_function_is_longer_than_50_lines():
    lengths = {
        f"{path.relative_to(ROOT)}:{node.lineno}": node.end_lineno - node.lineno + 1
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert len(lengths) > 2000
    assert {place: length for place, length in lengths.items() if length > MOST_OF_A_FUNCTION} == {}


def test_every_program_that_is_waited_for_has_a_deadline():
    waiting = "run|call|check_call|check_output|getoutput|getstatusoutput|system"
    found = [
        (path.relative_to(ROOT), node)
        for path in FILES
        if "tests" not in path.relative_to(ROOT).parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and re.fullmatch(rf"(subprocess|os)\.({waiting})", ast.unparse(node.func))
    ]
    assert len(found) > 5
    without = [(path, node) for path, node in found if "timeout" not in {keyword.arg for keyword in node.keywords}]
    assert [f"{path}:{node.lineno}" for path, node in without] == []
