"""Checks that every link inside a folder of HTML pages leads to a page and to an anchor that exist."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """Collects the anchors and the links of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors = {"", "top"}
        self.links: list[tuple[int, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag can be reached by, and what it leads to."""
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value or "")
            elif (tag == "a" and name == "href") or (tag in {"img", "script"} and name == "src"):
                self.links.append((self.getpos()[0], value or ""))


def broken(folder: Path) -> Iterator[str]:
    """Yield a sentence for every link inside the folder that leads nowhere. Links to other hosts are not followed.

    Args:
        folder: The top of the pages.
    """
    pages = {path.resolve(): _Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    for path, page in pages.items():
        for line, link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            place = f"{path.relative_to(folder.resolve())}:{line}"
            if not target.is_file():
                yield f"{place}: {link} leads to no file."
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{place}: {link} leads to no anchor of its page."
