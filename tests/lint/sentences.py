"""Checks the sentences of README, docstrings and messages: one statement each, and every thing named.

``python -m lint.sentences --list`` shows all offenders. Paths after it limit the check to these files.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lint.prose import Block, docstring_blocks, markdown_blocks, message_blocks, sentences
from lint.tree import ROOT, Finding, modules, report

BARS: Final = {"joined": 0.08, "headless": 0.01}
"""Largest share of sentences that may break each rule, in each kind of text."""

_RULES: Final = {
    "joined": re.compile(r";(?=\s*\S)|:[\"')*_]*\s+\S"),
    "headless": re.compile(
        r"\bones? (?:that|which|who|whose)\b"
        r"|\bthose (?:that|which|who|whose|of|in|with|without|from|for|at|on|by|before|after|to)\b"
        r"|\bthat of\b|\bwhich of them\b"
        r"|\bwhat (?:is|was|are|were|has|had|have|can|cannot|could|would|will|may|must|it|they|else|remains|follows)\b"
        r"|\bthe ones?(?=[.,;:)]|$| (?:that|of|in|with|from|for|at|on|by|before|after|to|is|was)\b)",
        re.IGNORECASE,
    ),
}
_LONG: Final = 25
"""Number of words above which a sentence is long. Long sentences are counted, without a bar."""

_KINDS: Final = ("README", "docstrings", "messages")
"""Kinds of text. Pages in the package, such as the model of a sensor, count as README."""


class Tally:
    """Sentences of one kind of text, and how many of them break a rule."""

    def __init__(self) -> None:
        self.count = self.long = 0
        self.found: dict[str, list[Finding]] = {rule: [] for rule in _RULES}

    def add(self, path: Path, block: Block) -> None:
        """Judge the sentences of a paragraph."""
        line, text = block
        for sentence in sentences(text):
            self.count += 1
            self.long += len(sentence.split()) > _LONG
            for rule, pattern in _RULES.items():
                if pattern.search(sentence):
                    self.found[rule].append(Finding(path, line, f"[{rule}] {sentence}"))

    def share(self, rule: str) -> float:
        """Return the share of sentences that break a rule, 0 to 1."""
        return len(self.found[rule]) / max(1, self.count)

    def is_over(self, rule: str) -> bool:
        """Tell whether a rule is broken more often than its bar allows."""
        return self.share(rule) > BARS[rule]

    def __str__(self) -> str:
        """Return the figures in words."""
        shares = ", ".join(f"{rule} {self.share(rule):.1%} (bar {bar:.0%})" for rule, bar in BARS.items())
        return f"{self.count} sentences, {shares}, longer than {_LONG} words {self.long / max(1, self.count):.0%}"


def tallies(root: Path, only: frozenset[Path] = frozenset()) -> dict[str, Tally]:
    """Judge README, docstrings and messages apart.

    Args:
        root: The tree.
        only: Resolved paths of the files to judge. Defaults to all.
    """
    found = {kind: Tally() for kind in _KINDS}
    for kind, path, block in _all_blocks(root, only):
        found[kind].add(path.relative_to(root), block)
    return found


def _all_blocks(root: Path, only: frozenset[Path]) -> Iterator[tuple[str, Path, Block]]:
    pages = [path for path in sorted((root / "green_callbacks").rglob("*.md")) if path.parent.name != "data"]
    for path in [root / "README.md", *pages, *modules(root)]:
        if path.exists() and (not only or path.resolve() in only):
            if path.suffix == ".md":
                yield from (("README", path, block) for block in markdown_blocks(path))
            else:
                yield from (("docstrings", path, block) for block in docstring_blocks(path))
                yield from (("messages", path, block) for block in message_blocks(path))


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Print the figures of each kind of text, with all offenders if asked or if a bar is broken."""
    parser = argparse.ArgumentParser(prog="lint.sentences", description=__doc__)
    parser.add_argument("--list", action="store_true", help="show all offenders")
    parser.add_argument("paths", nargs="*", type=Path, help="files to judge; all unless given")
    options = parser.parse_args(arguments)
    code = 0
    for kind, tally in tallies(root, frozenset(path.resolve() for path in options.paths)).items():
        over = [rule for rule in BARS if tally.is_over(rule)]
        shown = [finding for rule in BARS if options.list or rule in over for finding in tally.found[rule]]
        code |= report(f"sentences of {kind}", shown, str(tally), failed=bool(over))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
