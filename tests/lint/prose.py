"""Finds the running text of docstrings, messages and Markdown, and splits it into sentences."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from lint.tree import parsed, texts

Block = tuple[int, str]
"""The line on which a paragraph begins, and its text without line breaks."""

_NAMED: Final = re.compile(r"(Args|Attributes|Raises|Warns|Keyword Args|Keys):$")
_SECTION: Final = re.compile(r"(Args|Attributes|Raises|Warns|Keyword Args|Keys|Returns|Yields|Examples?|References):$")
_ENTRY: Final = re.compile(r"\s*\*{0,2}[\w./`*\[\]|, -]{1,60}?( \([^)]*\))?:\s+")
_BULLET: Final = re.compile(r"([-*+]|\d+[.)]) +")
_ASIDE: Final = re.compile(r"\|.*\|$|[=+-]{3,}[=+ -]*$|\.\. \w+::")
_INLINE: Final = re.compile(r"``.+?``|`[^`]+`|!?\[(?=[^]]*\]\()|\]\([^)]*\)|https?://\S+")
_SHORT: Final = re.compile(r"\b(e\.g|i\.e|etc|vs|cf|resp|approx|al|Fig|Eq)\.")
_END: Final = re.compile(r"(?<=[.!?])[\"')\]*_]*\s+(?=[\"'(\[*_]*[A-Z0-9])")
_START: Final = "\0"
"""Marks a line that begins a paragraph of its own."""
_FEWEST_WORDS: Final = 4
"""Number of words from which a string in the code is taken for a message and not for a label."""


def sentences(text: str) -> list[str]:
    """Split a paragraph. Inline code and addresses become words, so that their signs do not count."""
    plain = _INLINE.sub(lambda code: "" if code[0].strip("!")[0] in "[]" else "CODE", text)
    plain = _SHORT.sub(lambda short: short[0].replace(".", ""), plain)
    return [part.strip() for part in _END.split(plain) if re.search(r"[A-Za-z]{2}", part)]


def docstring_blocks(path: Path) -> Iterator[Block]:
    """Yield the paragraphs of all docstrings of a module."""
    for node in texts(parsed(path)):
        lines = _without_names(_without_code(str(node.value).split("\n")))
        yield from _paragraphs(lines, node.lineno)


def markdown_blocks(path: Path) -> Iterator[Block]:
    """Yield the paragraphs, headings and list items of a Markdown file."""
    yield from _paragraphs(_without_code(path.read_text(encoding="utf-8").split("\n")), 1)


def message_blocks(path: Path) -> Iterator[Block]:
    """Yield the strings of a module that people read: messages, notices, reasons and help."""
    tree = parsed(path)
    aside = {id(node) for node in texts(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            aside.update(id(part) for part in ast.walk(node) if part is not node)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in aside:
            text = _said(node)
            if len(re.findall(r"[A-Za-z]{2,}", text)) >= _FEWEST_WORDS:
                yield from _paragraphs(text.split("\n"), node.lineno)


def _said(node: ast.expr) -> str:
    """Return the text of a string, with an X for each value in it."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_said(part) for part in node.values)
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "X" if isinstance(node, ast.FormattedValue) else ""


def _without_code(lines: Iterable[str]) -> Iterator[str]:
    """Blank fenced and indented code, examples, tables and directives."""
    is_fenced = is_example = False
    literal: int | None = None
    last = ""
    for line in lines:
        text, indent = line.strip(), len(line) - len(line.lstrip())
        is_fence = text.startswith(("```", "~~~"))
        is_fenced ^= is_fence
        is_example = bool(text) and (is_example or text.startswith(">>>"))
        if literal is None and last.endswith("::"):
            literal = indent if text else None
        if text and literal is not None and indent < literal:
            literal = None
        last = text or last
        is_aside = is_fence or is_fenced or is_example or literal is not None or _ASIDE.match(text)
        yield "" if is_aside else line


def _without_names(lines: Iterable[str]) -> Iterator[str]:
    """Blank the headings of Google sections, and leave the names of their entries out."""
    section: int | None = None
    for line in lines:
        text, indent = line.strip(), len(line) - len(line.lstrip())
        kept = line
        if _SECTION.match(text):
            section, kept = (indent if _NAMED.match(text) else None), ""
        elif text and section is not None and indent <= section:
            section = None
        elif section is not None and indent == section + 4 and _ENTRY.match(line):
            kept = _START + _ENTRY.sub("", line, count=1)
        yield kept


def _paragraphs(lines: Iterable[str], first: int) -> Iterator[Block]:
    """Join lines up to the next blank line, heading, list item or entry."""
    begin, held = first, list[str]()
    for number, line in enumerate([*lines, ""], first):
        text = line.strip()
        starts = line.startswith(_START) or _BULLET.match(text) or text.startswith("#")
        if held and (not text or starts or held[0].startswith("#")):
            yield begin, " ".join(held)
            held = []
        if text:
            begin = begin if held else number
            held.append(_BULLET.sub("", text.lstrip(_START), count=1) if starts else text)
