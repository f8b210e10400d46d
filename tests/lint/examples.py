"""Checks that every public name has an example: ``>>>`` in its docstring, or for a value in that of its module."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from lint.tree import ROOT, Finding, is_text, modules, parsed, report


def findings(root: Path) -> tuple[int, list[Finding]]:
    """Return the number of public names, and those without an example. A name that is passed on counts once a room."""
    count, found = 0, []
    for path in modules(root):
        for name, line in public_names(path).items():
            count += 1
            if ">>>" not in text_of(root, path, name):
                found.append(Finding(path.relative_to(root), line, f"{name} is public and has no example."))
    return count, found


def public_names(path: Path) -> dict[str, int]:
    """Return the names in the ``__all__`` of a module, each with its line."""
    for node in parsed(path).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and "__all__" in _targets(node):
            return {str(part.value): part.lineno for part in ast.walk(node) if isinstance(part, ast.Constant)}
    return {}


def text_of(root: Path, path: Path, name: str) -> str:
    """Return the docstring of a name, wherever the module has it from.

    Args:
        root: The tree.
        path: A module that defines or imports the name.
        name: The name.

    Returns:
        For a class without a docstring the text of its bases, for a value its own and that of its module.
    """
    tree = parsed(path)
    statements = list(_top(tree.body))
    for node, below in zip(statements, [*statements[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
            bases = [ast.unparse(base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
            return ast.get_docstring(node) or "".join(text_of(root, path, base) for base in bases)
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _imported(root, path, node.module or "", alias.name)
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in _targets(node):
            return (ast.get_docstring(tree) or "") + (ast.unparse(below) if below and is_text(below) else "")
    return ""


def _top(block: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, with those of its conditions."""
    for node in block:
        yield node
        for inner in ("body", "orelse") if isinstance(node, ast.If | ast.Try) else ():
            yield from _top(getattr(node, inner))


def _targets(node: ast.Assign | ast.AnnAssign) -> set[str]:
    return {ast.unparse(target) for target in (node.targets if isinstance(node, ast.Assign) else [node.target])}


def _imported(root: Path, importer: Path, module: str, name: str) -> str:
    """Return the text of a name of a module, or else of the module of that name."""
    place = root.joinpath(*module.split("."))
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if path.exists() and path != importer and (text := text_of(root, path, name)):
            return text
    for path in (place / name / "__init__.py", place / f"{name}.py"):
        if path.exists():
            return ast.get_docstring(parsed(path)) or ""
    return ""


def main(root: Path = ROOT) -> int:
    """List the public names without an example; there may be none."""
    count, found = findings(root)
    return report("examples", found, f"{len(found)} of {count} names in an __all__ without an example (bar 0)")


if __name__ == "__main__":
    sys.exit(main())
