"""What installing a package brings along."""

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement


def footprint(name: str) -> tuple[int, float]:
    """Return how many packages a package brings along, itself included, and their size in MB.

    Args:
        name: The package; it and what it needs must be installed.

    Returns:
        What is not installed, or is here as a link to its sources, is not weighed but for the files of its own.
    """
    found: set[str] = set()
    _collect(name, frozenset(), found)
    return len(found), sum(_size_bytes(one) for one in found) / 1e6


def _collect(name: str, extras: frozenset[str], found: set[str]) -> None:
    try:
        needs = distribution(name).requires or []
    except PackageNotFoundError:
        return
    found.add(re.sub(r"[-_.]+", "-", name).lower())
    for need in map(Requirement, needs):
        environments = [{"extra": extra} for extra in (*extras, "")]
        if need.marker is None or any(map(need.marker.evaluate, environments)):
            known = re.sub(r"[-_.]+", "-", need.name).lower() in found
            if not known or need.extras:
                _collect(need.name, frozenset(need.extras), found) if not known else None


def _size_bytes(name: str) -> int:
    files = [Path(str(file.locate())) for file in distribution(name).files or []]
    sizes = sum(file.stat().st_size for file in files if file.is_file() and file.suffix != ".pyc")
    package = Path(__file__).resolve().parents[2] / name.replace("-", "_")
    if package.is_dir():  # installed as a link to its sources
        sizes += sum(file.stat().st_size for file in package.rglob("*") if file.is_file() and file.suffix != ".pyc")
    return sizes
