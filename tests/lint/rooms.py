"""Checks that no room reaches into another one's private modules, and that a folder can be taken in at one look."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lint.tree import ROOT, Finding, modules, parsed, report

ROOM_BAR: Final = {"sources": 14}
"""Largest number of files and folders at the top of a room."""

WING_BAR: Final = 12
"""Largest number of files and folders in a folder inside a room."""


def private_imports(root: Path) -> Iterator[Finding]:
    """Yield the imports of a private module, or of a private name of a package, from outside its room."""
    for path in modules(root):
        module = path.relative_to(root).with_suffix("").parts
        for node in ast.walk(parsed(path)):
            parts = (_private(target) for target in _targets(node, module))
            for part in sorted({part for part in parts if part and module[: len(part) - 1] != part[:-1]}):
                sentence = f"{'.'.join(part)} is private to {'.'.join(part[:-1])}."
                yield Finding(path.relative_to(root), node.lineno, sentence)


def _targets(node: ast.AST, module: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the dotted names that a statement imports."""
    if isinstance(node, ast.Import):
        yield from (tuple(alias.name.split(".")) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = module[: -node.level] if node.level else ()
        yield from ((*base, *(node.module or "").split("."), alias.name) for alias in node.names)


def _private(target: tuple[str, ...]) -> tuple[str, ...]:
    """Return a dotted name up to its first private part below the package, empty if there is none."""
    if target[0] == "green_callbacks":
        for at, part in enumerate(target[2:], 2):
            if part.startswith("_") and not part.endswith("__"):
                return target[: at + 1]
    return ()


def crowded(root: Path) -> Iterator[Finding]:
    """Yield the folders that hold more files and folders than their bar allows."""
    package = root / "green_callbacks"
    for folder in sorted({path for path in package.rglob("*") if path.is_dir() and path.name != "__pycache__"}):
        place = folder.relative_to(package)
        count = len(entries(folder))
        bar = ROOM_BAR.get(place.name) if len(place.parts) == 1 else WING_BAR
        if bar is not None and count > bar and "data" not in place.parts:
            yield Finding(folder.relative_to(root), 0, f"It holds {count} files and folders, more than {bar}.")


def entries(folder: Path) -> list[Path]:
    """Return the files and folders at the top of a folder."""
    return [path for path in folder.iterdir() if path.name != "__pycache__" and not path.name.startswith(".")]


def main(root: Path = ROOT) -> int:
    """List private imports and crowded folders; there may be none."""
    private, wide = list(private_imports(root)), list(crowded(root))
    folders = {name: root / "green_callbacks" / name for name in ROOM_BAR}
    seen = ", ".join(f"{name}/ {len(entries(folder))} (bar {ROOM_BAR[name]})" for name, folder in folders.items())
    summary = f"{len(private)} imports of another room's private module (bar 0), {seen}, {len(wide)} crowded folders"
    return report("rooms", [*private, *wide], summary)


if __name__ == "__main__":
    sys.exit(main())
