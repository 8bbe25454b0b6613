"""docs/parity.md promises a test for each of its rows: there must be one."""

import ast
import functools
import re

import pytest

from harness import ROOT

DOCUMENT = ROOT / "docs/parity.md"
NAME = re.compile(r"`([^`]+)`")


def rows() -> list[list[str]]:
    """The cells of every row of every table, heads and rules left out."""
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    is_rule = [set(row[-1]) == {"-"} for row in cells]
    return [row for i, row in enumerate(cells) if not is_rule[i] and not (i + 1 < len(cells) and is_rule[i + 1])]


@functools.cache
def python_tests(file: str) -> set[str]:
    path = ROOT / "tests/ros" / file
    if not path.exists():
        return set()
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


@functools.cache
def rust_functions() -> set[str]:
    files = [path for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.rs")]
    return {name for path in files for name in re.findall(r"\bfn (\w+)\(", path.read_text())}


def exists(test: str) -> bool:
    file, _, name = test.rpartition("::")
    return name in (python_tests(file) if file else rust_functions())


def test_the_tables_are_found():
    assert len(rows()) > 200
    assert not exists("test_parity_table.py::test_that_nobody_wrote") and not exists("a_rust_test_that_nobody_wrote")


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0].replace("`", ""))
def test_every_row_names_tests_that_there_are(row: list[str]):
    named = NAME.findall(row[-1])
    assert named, "it names no test"
    assert [test for test in named if not exists(test)] == []


def test_every_acceptance_test_stands_in_a_table():
    """What is worth a test of the controller is worth a row."""
    named = {test for row in rows() for test in NAME.findall(row[-1])}
    missing = {
        f"{path.name}::{name}"
        for path in (ROOT / "tests/ros").glob("test_jtc_*.py")
        for name in python_tests(path.name)
        if name.startswith("test_")
    } - named
    assert sorted(missing) == []
