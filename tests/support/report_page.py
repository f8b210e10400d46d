"""A small page in place of the real one, and names that try to break out of it."""

from pathlib import Path
from tempfile import mkdtemp

from green_callbacks.page.assets import ASSETS, Asset

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]><img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "line\u2028separator\u2029paragraph",
    "\"quoted\" 'text' `${alert(1)}` \\u003cscript\\u003e",
    "right\u202eto left\u2066isolated\u2069",
    "javascript:alert(1)",
    "&lt;b&gt;&amp;",
    "__proto__",
    "lone \udc80 surrogate",
    "\x00\x1b[31mred\x7f",
    "x" * 10_000,
]
"""Texts that a log folder may hold as names."""

_INDEX = """\
import { show } from "./show.js";

const data = JSON.parse(document.getElementById("data").textContent);
show(JSON.stringify(data));
window.drawn = typeof uPlot;
"""
_SHOW = """\
export function show(text) {
  const p = document.createElement("p");
  p.textContent = text;
  p.style.fontWeight = "bold";
  document.body.append(p);
}
"""


def _stand_in() -> dict[str, Asset]:
    folder = Path(mkdtemp(prefix="green-callbacks-page-"))
    files = {
        "index.js": _INDEX,
        "show.js": _SHOW,
        "style.css": "p { color: rgb(1, 2, 3); }\n",
        "page.html": "<body><main></main></body>",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    vendored = {name: asset for name, asset in ASSETS.items() if name.startswith("vendor/")}
    return {name: Asset(folder / name, "text/plain") for name in files} | vendored


STAND_IN = _stand_in()
"""A page that shows its data as one text."""
