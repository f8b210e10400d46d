"""Checks that every link inside a folder of HTML pages leads to a page and to an anchor that exist."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_PROGRAM: Final = re.compile(r"(<script\b[^>]*>).*?</script>", re.DOTALL)
_TAG: Final = re.compile(r"<[a-z][a-z0-9-]*\s[^>]*>")
_ANCHOR: Final = re.compile(r"""\sid=["']([^"']*)""")
_LINK: Final = re.compile(r"""\s(?:href|src)=["']([^"']*)""")


def broken(folder: Path) -> Iterator[str]:
    """Yield a sentence for every link inside the folder that leads nowhere. Links to other hosts are not followed.

    Args:
        folder: The top of the pages.
    """
    texts = {path.resolve(): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.html"))}
    anchors = {path: {"", "top", *_found(_ANCHOR, text)} for path, text in texts.items()}
    for path, text in texts.items():
        for link in sorted(_found(_LINK, text)):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            place = path.relative_to(folder.resolve())
            if not target.is_file():
                yield f"{place}: {link} leads to no file."
            elif target in anchors and unquote(parts.fragment) not in anchors[target]:
                yield f"{place}: {link} leads to no anchor of its page."


def _found(pattern: re.Pattern[str], text: str) -> set[str]:
    """Return the values of an attribute in all tags of a page."""
    return {unescape(value) for tag in _TAG.findall(_PROGRAM.sub(r"\1", text)) for value in pattern.findall(tag)}
