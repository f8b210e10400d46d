"""Checks that text and names are spelled the American way, by codespell's list and a few words more."""

import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from lint.tree import ROOT, Finding, report

KEPT: Final = {
    "modelled": "the method of a device in ledgers, records and exports",
    "unmodelled": "beside the above",
    "licence": "the field of an intensity in records and ledgers",
    "licences": "beside the above",
    "summarise": "the public function of that name",
}
"""British words that are values or fields which files and users rely on, each with what it is."""

MORE: Final = {
    "ageing": "aging",
    "amongst": "among",
    "focussed": "focused",
    "fuelled": "fueled",
    "levelled": "leveled",
    "levelling": "leveling",
    "practise": "practice",
    "practised": "practiced",
    "serialised": "serialized",
    "travelled": "traveled",
    "travelling": "traveling",
    "tyre": "tire",
    "uncancelled": "uncanceled",
    "uninitialised": "uninitialized",
    "unlabelled": "unlabeled",
    "unrecognised": "unrecognized",
    "whilst": "while",
}
"""Words that codespell does not list."""

_TEXT: Final = ("*.py", "*.md", "*.toml", "*.yml", "*.yaml", "*.cff", "*.txt", "Makefile")
"""Names of the files that people of this project write. Notebooks are left out, because they hold pictures."""

_ASIDE: Final = re.compile(r"(^|/)(\.git|\.venv|build|data|__pycache__|lint|\.[a-z_]*cache|\.hypothesis)(/|$)")
_WORD: Final = re.compile(r"[A-Z]?[a-z]{3,}|[A-Z]{4,}")
"""A word of text, or a part of a name in snake or camel case."""


@cache
def dictionary() -> dict[str, str]:
    """Return each British word with its American spelling, by the list that codespell brings."""
    spec = find_spec("codespell_lib")
    if spec is None or spec.origin is None:
        sys.exit("spelling: codespell is missing, so nothing is checked: pip install -r tests/requirements/test.txt")
    lines = Path(spec.origin).with_name("data").joinpath("dictionary_en-GB_to_en-US.txt").read_text(encoding="utf-8")
    return MORE | dict(line.split("->") for line in lines.splitlines() if "->" in line)


def findings(root: Path) -> Iterator[Finding]:
    """Yield the British words of a tree, in the text and the names of its files."""
    words = {word: better for word, better in dictionary().items() if word not in KEPT}
    for path in sorted({path for pattern in _TEXT for path in root.rglob(pattern)}):
        place = path.relative_to(root)
        if not _ASIDE.search(place.parent.as_posix()):
            for number, line in enumerate([place.name, *path.read_text(encoding="utf-8").splitlines()]):
                for word in _WORD.findall(line):
                    if word.lower() in words:
                        better = words[word.lower()].rstrip(",")
                        yield Finding(place, number, f"{word} is spelled {better} in American English.")


def main(root: Path = ROOT) -> int:
    """List British spellings; there may be none."""
    found = list(findings(root))
    return report("spelling", found, f"{len(found)} British spellings (bar 0), kept as values: {', '.join(KEPT)}")


if __name__ == "__main__":
    sys.exit(main())
