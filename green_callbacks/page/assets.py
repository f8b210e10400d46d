"""The files of the page, from a fixed table of names.

A request or a report names a file of this table, and never a path. Types are written by hand, because the table of the
operating system may be wrong.

Example:
    >>> ASSETS["vendor/uPlot.iife.min.js"].path.is_relative_to(STATIC)
    True
    >>> set(MODULES) <= set(ASSETS), "Leon Sorokin" in LICENSE.text()
    (True, True)
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from green_callbacks.errors import GreenCallbacksError

__all__ = ["ASSETS", "LICENSE", "MODULES", "STATIC", "Asset"]

STATIC: Final = Path(__file__).parent / "static"
"""Folder of the files."""

MODULES: Final = (
    "charts.js",
    "dom.js",
    "entry.js",
    "host.js",
    "index.js",
    "state.js",
    "table.js",
    "view.js",
)
"""Our JavaScript modules, by name. TensorBoard begins with ``entry.js``, and the page with ``index.js``."""

_OTHERS: Final = ("page.html", "style.css")
"""The page, and our styles."""

_VENDORED: Final = ("vendor/uPlot.iife.min.js", "vendor/uPlot.min.css")
"""Files of uPlot."""

_TYPES: Final[Mapping[str, str]] = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}


class Asset(NamedTuple):
    """A file of the page.

    Attributes:
        path: The file in the installed package.
        mime: Type of its content, as in the header ``Content-Type``.

    Example:
        >>> ASSETS["vendor/uPlot.min.css"].mime
        'text/css; charset=utf-8'
    """

    path: Path
    mime: str

    def read(self) -> bytes:
        """Return the content.

        Raises:
            GreenCallbacksError: The file is missing or cannot be read, so the installation is damaged.
        """
        try:
            return self.path.read_bytes()
        except OSError as error:
            msg = (
                f"The file {self.path} of green_callbacks cannot be read ({error.strerror}), so the page cannot be "
                "shown. Install green_callbacks again."
            )
            raise GreenCallbacksError(msg) from error

    def text(self) -> str:
        """Return the content as text, with line breaks as on Linux.

        Raises:
            GreenCallbacksError: The file is missing or cannot be read, so the installation is damaged.
        """
        return self.read().decode().replace("\r\n", "\n")


ASSETS: Final[Mapping[str, Asset]] = {
    name: Asset(STATIC / name, _TYPES[PurePosixPath(name).suffix]) for name in (*MODULES, *_OTHERS, *_VENDORED)
}
"""All files of the page by name, such as ``index.js``. The page asks for them by these names."""

LICENSE: Final = Asset(STATIC / "vendor" / "uPlot.LICENSE", "text/plain; charset=utf-8")
"""License of uPlot, which goes with every copy of it."""
