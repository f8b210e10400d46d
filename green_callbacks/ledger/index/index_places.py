"""The places in which the index of a folder may lie."""

import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2s
from pathlib import Path
from stat import S_IMODE, S_ISVTX
from typing import Final

from green_callbacks.ledger.project_ledgers import HIDDEN_FOLDER

_NAME: Final = "totals.jsonl"
_HASH_BYTES: Final = 8
"""Length in bytes of the hash that names an index in the cache of the user. It tells folders apart."""


def index_places(root: Path, *, beside: bool, environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Return the files in which the index of a folder may lie, the preferred file first.

    Args:
        root: The folder, as an absolute path.
        beside: Whether the index may lie in that folder. It is written to the cache of the user otherwise, and where
            the folder is read-only.
        environ: Variables of the environment. Defaults to the variables of the process.
    """
    places = [root / HIDDEN_FOLDER / _NAME] if beside else []
    cache = _users_cache(environ)
    if cache is not None:
        identity = blake2s(os.path.realpath(root).encode(errors="surrogatepass"), digest_size=_HASH_BYTES).hexdigest()
        places.append(cache / "green-callbacks" / f"totals-{identity}.jsonl")
    return places


def make_parents(place: Path) -> None:
    """Make the folder of an index. The folder of a project itself is never made. Raises nothing.

    As many users may write the hidden folder as the folder of the project, because budgets lie in it too.

    Args:
        place: The file of an index.
    """
    folder = place.parent
    with suppress(OSError, ValueError):
        if folder.name != HIDDEN_FOLDER:
            folder.mkdir(parents=True, exist_ok=True)
        elif not folder.is_dir():
            folder.mkdir()
            folder.chmod(S_IMODE(folder.parent.stat().st_mode) & ~S_ISVTX)
            (folder / ".gitignore").write_text("*\n", encoding="ascii")


def _users_cache(environ: Mapping[str, str]) -> Path | None:
    # The XDG Base Directory Specification names these folders, and ignores relative paths.
    named = environ.get("XDG_CACHE_HOME") or environ.get("LOCALAPPDATA") or ""
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    if Path(named).is_absolute():
        return Path(named)
    return Path(home, ".cache") if Path(home).is_absolute() else None
