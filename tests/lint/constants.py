"""Checks that every numeric constant says what it is: in a comment on or above its line, or in a docstring below it."""

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lint.tree import ROOT, Finding, bodies, is_text, modules, parsed, report

_NO_WORDS: Final = re.compile(r"#\s*(noqa|type:|pragma|fmt:|ruff:)")
"""Comments that speak to tools and explain nothing."""


def findings(root: Path) -> tuple[int, list[Finding]]:
    """Return the number of numeric constants of the package, and those without a word."""
    count, found = 0, []
    for path in modules(root):
        commented = _commented_lines(path)
        for node, below in _constants(parsed(path)):
            count += 1
            if not (commented & _lines_of(node) or (below is not None and is_text(below))):
                sentence = f"{_names(node)} has neither a comment nor a docstring below it."
                found.append(Finding(path.relative_to(root), node.lineno, sentence))
    return count, found


def _commented_lines(path: Path) -> set[int]:
    """Return the lines with a comment, and the lines directly below a comment that stands alone."""
    lines = set[int]()
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT and not _NO_WORDS.match(token.string):
                stands_alone = not token.line[: token.start[1]].strip()
                lines.add(token.start[0] + 1 if stands_alone else token.start[0])
    return lines


def _lines_of(node: ast.stmt) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _constants(tree: ast.Module) -> Iterator[tuple[ast.Assign | ast.AnnAssign, ast.stmt | None]]:
    """Yield the assignments of numbers outside functions, each with the statement below it."""
    inside = {id(child) for node in ast.walk(tree) if _is_function(node) for child in ast.walk(node)}
    in_classes = {id(child) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for child in ast.walk(node)}
    for block in bodies(tree):
        for node, below in zip(block, [*block[1:], None], strict=True):
            if id(node) in inside or not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
                continue
            if is_numeric(node.value) and (id(node) not in in_classes or _names(node).isupper()):
                yield node, below


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def _names(node: ast.Assign | ast.AnnAssign) -> str:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return ", ".join(ast.unparse(target).strip("()") for target in targets)


def is_numeric(node: ast.expr) -> bool:
    """Tell whether an expression is a number, arithmetic with one, or a collection of numbers alone."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, int | float | complex) and not isinstance(value, bool)
        case ast.UnaryOp(operand=operand):
            return is_numeric(operand)
        case ast.BinOp(left=left, right=right):
            return any(is_numeric(side) for side in (left, right)) and all(_is_term(side) for side in (left, right))
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items) | ast.Dict(values=items):
            return bool(items) and all(is_numeric(item) for item in items)
        case _:
            return False


def _is_term(node: ast.expr) -> bool:
    return is_numeric(node) or isinstance(node, ast.Name | ast.Attribute)


def main(root: Path = ROOT) -> int:
    """List the constants without a word; none may be left."""
    count, found = findings(root)
    return report("constants", found, f"{len(found)} of {count} numeric constants without a word (bar 0)")


if __name__ == "__main__":
    sys.exit(main())
