"""Checks the length of files, classes and functions in lines of code: no blank lines, comments or docstrings."""

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lint.tree import ROOT, Finding, modules, report, texts

BARS: Final = {"file": 300, "class": 200, "function": 30}
"""Largest number of code lines of each."""

_NO_CODE: Final = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
    tokenize.ENDMARKER,
}  # fmt: skip


def code_lines(text: str) -> set[int]:
    """Return the numbers of the lines that hold code."""
    lines = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in texts(ast.parse(text)):
        lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def sizes(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield kind, name, first line and code lines of a file, and of the classes and functions in it."""
    lines = code_lines(text)
    yield "file", "", 1, len(lines)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            kind = "class" if isinstance(node, ast.ClassDef) else "function"
            own = lines.intersection(range(node.lineno, (node.end_lineno or node.lineno) + 1))
            yield kind, node.name, node.lineno, len(own)


def main(root: Path = ROOT) -> int:
    """List what is too long, and print the longest of each kind."""
    found, longest, most_lines = [], dict.fromkeys(BARS, 0), 0
    for path in modules(root):
        text = path.read_text(encoding="utf-8")
        most_lines = max(most_lines, text.count("\n"))
        for kind, name, line, size in sizes(text):
            longest[kind] = max(longest[kind], size)
            if size > BARS[kind]:
                sentence = f"The {f'{kind} {name}'.strip()} has {size} lines of code, more than {BARS[kind]}."
                found.append(Finding(path.relative_to(root), line, sentence))
    figures = ", ".join(f"{kind} {longest[kind]} (bar {bar})" for kind, bar in BARS.items())
    return report("sizes", found, f"longest {figures}, longest file with blank lines and text {most_lines}")


if __name__ == "__main__":
    sys.exit(main())
