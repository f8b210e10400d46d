"""Makes mutants: copies of a module with one small fault in each. Texts and annotations are left alone."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Final

_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip
_CALLED: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
_SHOWN: Final = 80
"""Characters of a statement that are shown before and after the place of the fault."""
_SKIPPED_FIELDS: Final = {"annotation", "returns", "decorator_list", "type_params"}


@dataclass(frozen=True)
class Mutant:
    """One fault in one module.

    Attributes:
        path: The module, relative to the root of the tree.
        number: The position of the fault among all faults of the module, from 0.
        line: The first line of the changed statement.
        last_line: The last line of the changed statement, or of the head of a compound statement.
        names: What the statement assigns, if it runs at import.
        before: The statement.
        after: The statement with the fault.
    """

    path: Path
    number: int
    line: int
    last_line: int
    names: frozenset[str]
    before: str
    after: str

    def __str__(self) -> str:
        """Return the fault as editors and CI logs understand it, and as a difference."""
        same = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(self.before, self.after, strict=False))))
        begin = max(0, same - _SHOWN)
        before, after = (text[begin : same + _SHOWN] for text in (self.before, self.after))
        return f"{self.path}:{self.line}\n    - {before}\n    + {after}"


@dataclass(frozen=True)
class _Change:
    """A new value for one field of one node, or for one item of a field that is a list."""

    node: ast.AST
    field: str
    item: int | None
    value: ast.AST | object

    def swap(self) -> "_Change":
        """Make the change, and return the change that undoes it."""
        if self.item is None:
            old = getattr(self.node, self.field)
            setattr(self.node, self.field, self.value)
        else:
            old = getattr(self.node, self.field)[self.item]
            getattr(self.node, self.field)[self.item] = self.value
        return _Change(self.node, self.field, self.item, old)


def mutants(path: Path, root: Path) -> list[Mutant]:
    """Return all mutants of a module in a stable order."""
    tree = ast.parse((root / path).read_text(encoding="utf-8"))
    found = []
    for number, (statement, scope, change) in enumerate(_all_changes(tree)):
        before = _head(statement)
        undo = change.swap()
        after = _head(_replaced(statement, change))
        undo.swap()
        first, last = _lines(statement)
        names = frozenset() if scope else frozenset(_assigned(statement))
        if isinstance(statement, ast.FunctionDef):  # a default: whoever runs the body sees it
            first, last = statement.body[0].lineno, statement.end_lineno or last
            names = frozenset()
        found.append(Mutant(path, number, first, last, names, before, after))
    return found


def mutated(mutant: Mutant, root: Path) -> ast.Module:
    """Return the module with the fault in it."""
    tree = ast.parse((root / mutant.path).read_text(encoding="utf-8"))
    for number, (_, _, change) in enumerate(_all_changes(tree)):
        if number == mutant.number:
            change.swap()
            return ast.fix_missing_locations(tree)
    raise LookupError(mutant)


def _all_changes(tree: ast.Module) -> Iterator[tuple[ast.stmt, bool, _Change]]:
    """Yield each change with its statement, and whether that statement lies in a function."""
    yield from _in_body(tree, in_function=False)


def _in_body(owner: ast.AST, *, in_function: bool) -> Iterator[tuple[ast.stmt, bool, _Change]]:
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        for item, child in enumerate(getattr(owner, field, ())):
            if not isinstance(child, ast.stmt):  # a handler of exceptions, or a case
                yield from _in_body(child, in_function=in_function)
                continue
            if _is_left_alone(child):
                continue
            if in_function:
                yield from ((child, True, change) for change in _of_statement(owner, field, item, child))
            yield from ((child, in_function, change) for change in _in_expressions(child))
            within = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from _in_body(child, in_function=within)


def _is_left_alone(statement: ast.stmt) -> bool:
    """Return whether a statement is an import, a text or a type."""
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.FunctionDef(decorator_list=decorators):
            return any(isinstance(one, ast.Name) and one.id == "overload" for one in decorators)
    return False


def _of_statement(owner: ast.AST, field: str, item: int, statement: ast.stmt) -> Iterator[_Change]:
    """Yield changes of a whole statement: left out, negated, or returning None."""
    match statement:
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield _Change(statement, "value", None, ast.Constant(None))
        case ast.If() | ast.While():
            yield _Change(statement, "test", None, ast.UnaryOp(ast.Not(), statement.test))
        case ast.Raise() | ast.Continue() | ast.Break() | ast.AugAssign() | ast.Expr(value=ast.Call()):
            yield _Change(owner, field, item, ast.copy_location(ast.Pass(), statement))
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield _Change(owner, field, item, ast.copy_location(ast.Pass(), statement))


def _in_expressions(node: ast.AST) -> Iterator[_Change]:
    """Yield changes inside the expressions of a statement, but not inside texts and annotations."""
    for field, value in ast.iter_fields(node):
        if field in _SKIPPED_FIELDS:
            continue
        for item, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case | ast.JoinedStr) or _is_guard(child):
                continue
            if isinstance(child, ast.AST):
                yield from _of_expression(node, field, item, child)
                yield from _in_expressions(child)


def _of_expression(node: ast.AST, field: str, item: int | None, child: ast.AST) -> Iterator[_Change]:
    match child:
        case ast.cmpop() if type(child) in _COMPARED:
            yield _Change(node, field, item, _COMPARED[type(child)]())
        case ast.operator() if type(child) in _ARITHMETIC and not _joins_texts(node):
            yield _Change(node, field, item, _ARITHMETIC[type(child)]())
        case ast.And():
            yield _Change(node, field, item, ast.Or())
        case ast.Or():
            yield _Change(node, field, item, ast.And())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield _Change(node, field, item, operand)
        case ast.Constant(value=bool(value)):
            yield _Change(node, field, item, ast.Constant(not value))
        case ast.Constant(value=int(value) | float(value)):
            has_neighbors = value + 1 != value  # 1e308 has none
            yield _Change(node, field, item, ast.Constant(value + 1 if has_neighbors else value * 2))
            yield _Change(node, field, item, ast.Constant(value - 1 if has_neighbors else value / 2))
        case ast.Name(id=name) if name in _CALLED and field == "func":
            yield _Change(node, field, item, ast.Name(_CALLED[name], ast.Load()))


def _is_guard(node: object) -> bool:
    """Return whether a keyword is ``strict`` of ``zip``, which only guards against faults of the caller."""
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _joins_texts(node: ast.AST) -> bool:
    """Return whether an operation has a text for an operand."""
    operands = [getattr(node, name, None) for name in ("left", "right", "value")]
    return any(
        isinstance(one, ast.JoinedStr) or (isinstance(one, ast.Constant) and isinstance(one.value, str | bytes))
        for one in operands
    )


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _replaced(statement: ast.stmt, change: _Change) -> ast.AST:
    """Return what stands in place of the statement after the change."""
    return change.value if isinstance(change.value, ast.stmt) else statement


def _head(statement: ast.AST) -> str:
    """Return a statement as one line, and of a compound statement its head."""
    lines = ast.unparse(ast.fix_missing_locations(statement)).splitlines()
    compound = isinstance(statement, ast.If | ast.While | ast.For | ast.With | ast.Try | ast.Match)
    while isinstance(statement, ast.FunctionDef | ast.ClassDef) and lines[0].startswith("@"):
        del lines[0]
    return lines[0] if compound or isinstance(statement, ast.FunctionDef | ast.ClassDef) else " ".join(lines)


def _lines(statement: ast.stmt) -> tuple[int, int]:
    body = getattr(statement, "body", None) or getattr(statement, "cases", None)
    if not body:
        return statement.lineno, statement.end_lineno or statement.lineno
    first = body[0].pattern.lineno if isinstance(body[0], ast.match_case) else body[0].lineno
    return statement.lineno, max(statement.lineno, first - 1)


def _assigned(statement: ast.stmt) -> Iterator[str]:
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    for target in targets:
        if isinstance(target, ast.Name):
            yield target.id
