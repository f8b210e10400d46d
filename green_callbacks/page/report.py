"""The page as one file that needs no server and no network.

The file carries its data, its scripts and its styles. Its Content-Security-Policy allows these scripts and styles by
their hashes, and no request at all.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from typing import Final

from green_callbacks.page.assets import ASSETS, LICENSE, Asset
from green_callbacks.page.bundle import bundled

__all__ = ["inlined_json", "report_html"]

_INERT: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
"""Escapes that let no text of the data end its element or begin a comment."""

_TITLE: Final = "Carbon of training runs"

_LIBRARY: Final = "vendor/uPlot.iife.min.js"
"""The classic script that defines ``uPlot``."""

_STRUCTURE: Final = "page.html"
"""The page without data. A report takes its body."""

_HEADING: Final = '<h1 class="hidden">Carbon</h1>'
"""Heading of the page, which TensorBoard's own bar makes superfluous. A report shows its title there."""

_NO_SCRIPT: Final = "This report draws its charts with JavaScript, which is switched off. Allow it for this file."


_TABLE: Final = '\t<section class="card wide">'
"""Beginning of the table of all runs. A report shows its groups before it."""


def report_html(
    data: Mapping[str, object], *, title: str = _TITLE, groups: str = "", assets: Mapping[str, Asset] = ASSETS
) -> str:
    """Write the page as one file.

    Args:
        data: The objects ``runs``, ``details``, ``stops`` and ``zones`` of the page.
        title: Title of the page. Defaults to ``Carbon of training runs``.
        groups: HTML of the groups of runs, as of :func:`green_callbacks.page.groups.section.groups_html`. Defaults to
            an empty text, for no groups.
        assets: Files of the page by name. Defaults to the files of the package.

    Returns:
        HTML. It contains no name of a run outside its data. Names of groups are in it, escaped.

    Raises:
        GreenCallbacksError: A file of the page is missing.
        ValueError: The data hold a number that is not finite.

    Example:
        >>> "</script><script>" in inlined_json({"name": "</script><script>"})
        False
    """
    library = assets[_LIBRARY].text()
    modules = {name: asset.text() for name, asset in assets.items() if name.endswith(".js") and name != _LIBRARY}
    script = bundled(modules)
    styles = [asset.text() for name, asset in sorted(assets.items(), key=_is_ours) if name.endswith(".css")]
    shown = escape(title.encode("utf-8", "replace").decode())
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            *_head(shown, [library, script], styles),
            "<body>",
            f"<noscript><p>{_NO_SCRIPT}</p></noscript>",
            _body(assets[_STRUCTURE].text(), groups).replace(_HEADING, f"<h1>{shown}</h1>"),
            f'<script type="application/json" id="data">{inlined_json(data)}</script>',
            f"<script>{library}</script>",
            f'<script type="module">{script}</script>',
            "</body>",
            "</html>",
            "",
        ]
    )


def _head(title: str, scripts: list[str], styles: list[str]) -> list[str]:
    """Return the lines of the head. The policy comes before everything that it rules."""
    return [
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts, styles)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{title}</title>",
        f"<!-- This file contains uPlot.\n{LICENSE.text()}-->",
        *(f"<style>{style}</style>" for style in styles),
        "</head>",
    ]


def _body(page: str, groups: str) -> str:
    before, table, after = page.partition("<body>")[2].partition("</body>")[0].strip().partition(_TABLE)
    return f"{before}{groups}\n{table}{after}" if groups else f"{before}{table}{after}"


def inlined_json(data: object) -> str:
    r"""Encode data so that they are inert inside a ``script`` element.

    All characters are ASCII, so a name that is not valid Unicode is kept too.

    Args:
        data: Plain JSON types.

    Raises:
        ValueError: A number is not finite.

    Example:
        >>> inlined_json({"name": "<!--"})
        '{"name":"\\u003c!--"}'
    """
    return json.dumps(data, allow_nan=False, separators=(",", ":")).translate(_INERT)


def _is_ours(item: tuple[str, Asset]) -> bool:
    """Put our styles after the styles of the library, so that ours apply."""
    return "/" not in item[0]


def _policy(scripts: list[str], styles: list[str]) -> str:
    """Return a Content-Security-Policy that allows exactly these scripts and styles."""
    hashes = [" ".join(map(_hashed, texts)) for texts in (scripts, styles)]
    return f"default-src 'none'; script-src {hashes[0]}; style-src {hashes[1]}; base-uri 'none'; form-action 'none'"


def _hashed(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
