"""What is written fits a head: no file over 400 lines, no function over 50."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("controller", "examples", "experiments", "placement", "scripts", "tests", "topologies", "workloads")
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
