"""What all checks share: the files of the package, their docstrings, and the form of a report."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
"""The checkout that is checked unless a test names another tree."""

Owner = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
"""A node that may have a docstring as its first statement."""


@dataclass(frozen=True, order=True)
class Finding:
    """One place that breaks a rule.

    Attributes:
        path: The file, relative to the root of the tree.
        line: The line, counted from 1.
        sentence: What is wrong there.
    """

    path: Path
    line: int
    sentence: str

    def __str__(self) -> str:
        """Return the finding as editors and CI logs understand it."""
        return f"{self.path}:{self.line}: {self.sentence}"


def modules(root: Path) -> Iterator[Path]:
    """Yield the Python files of the package in a stable order.

    Args:
        root: The folder that holds ``green_callbacks/``.
    """
    yield from sorted((root / "green_callbacks").rglob("*.py"))


def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def is_text(node: ast.stmt) -> bool:
    """Tell whether a statement is a bare string: a docstring, or the description below a constant."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def texts(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield every bare string below a node."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and is_text(node):
            assert isinstance(node.value, ast.Constant)
            yield node.value


def bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield the statements of every module, class, function, branch and loop."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block:
                yield block


def report(name: str, findings: Iterable[Finding], summary: str, *, failed: bool | None = None) -> int:
    """Print the findings, then one line with the summary.

    Args:
        name: Name of the check.
        findings: What to list.
        summary: Figures and bars.
        failed: Whether a bar is broken. Defaults to whether there is a finding.

    Returns:
        The exit code, 1 if a bar is broken and otherwise 0.
    """
    listed = sorted(findings)
    for finding in listed:
        print(finding)
    failed = bool(listed) if failed is None else failed
    print(f"{name}: {summary}{' FAILED' if failed else ''}", flush=True)
    return int(failed)
