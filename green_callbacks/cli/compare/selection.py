"""The runs that the arguments of ``green-callbacks compare`` name."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path

from green_callbacks.errors import ConfigurationError
from green_callbacks.text import for_terminal


@dataclass(frozen=True, slots=True)
class Selection:
    """The runs of one side, before they are read.

    Attributes:
        name: Name of the side, as texts show it.
        paths: Ledgers, folders and glob patterns.
        labels: For each label, the values of which a run must have one.
    """

    name: str
    paths: Sequence[Path]
    labels: Mapping[str, Sequence[str]]


def selections(first: Sequence[str], against: Sequence[Sequence[str]] | None) -> tuple[Selection, Selection]:
    """Return the two sides.

    Args:
        first: Terms of the first side.
        against: Terms of each ``--against``.

    Raises:
        ConfigurationError: There is no other side, or there are several, or a term is empty.
    """
    if not against:
        msg = "A comparison needs two sides. Name the other runs with --against."
        raise ConfigurationError(msg)
    if len(against) > 1:
        msg = (
            f"--against is there {len(against)} times, but only two sides can be compared. Name all runs of the other "
            "side after one --against, or compare twice."
        )
        raise ConfigurationError(msg)
    sides = first, against[0]
    if not all(term.strip() for terms in sides for term in terms):  # Path("") would be the working folder
        msg = "A name of runs is empty, as after a variable that is not set. Name the runs, or . for this folder."
        raise ConfigurationError(msg)
    labels = [_labels(terms) for terms in sides]
    own = [[Path(term) for term in terms if not _is_label(term)] for terms in sides]
    paths = [own[0] or own[1] or [Path()], own[1] or own[0] or [Path()]]
    names = _names(labels, paths)
    made = [Selection(*each) for each in zip(names, paths, labels, strict=True)]
    return made[0], made[1]


def _is_label(term: str) -> bool:
    """Return whether a term is ``LABEL=VALUE`` and no path. The name of a folder may hold such a sign, too."""
    label, sign, _ = term.partition("=")
    return bool(label and sign) and "/" not in label and os.sep not in label and not _may_be_path(term)


def _may_be_path(term: str) -> bool:
    try:
        return Path(term).exists() or has_magic(term)
    except (OSError, ValueError):  # a name that is too long, or has a zero byte
        return False


def _labels(terms: Sequence[str]) -> dict[str, list[str]]:
    labels: dict[str, list[str]] = {}
    for term in filter(_is_label, terms):
        label, _, value = term.partition("=")
        labels.setdefault(label, []).append(value)
    return labels


def _names(labels: Sequence[Mapping[str, Sequence[str]]], paths: Sequence[Sequence[Path]]) -> tuple[str, str]:
    """Return short names of both sides that differ."""
    said = [" ".join(f"{label}={'|'.join(values)}" for label, values in each.items()) for each in labels]
    for name in (_by_folder, _by_prefix, _in_full):
        one, other = (text or name(each) for text, each in zip(said, paths, strict=True))
        if one and other and one != other:
            return for_terminal(one), for_terminal(other)
    return "the first side", "the second side"


def _by_folder(paths: Sequence[Path]) -> str:
    """Return the name of the folder that holds all runs of a side."""
    if len(paths) == 1 and paths[0].is_dir():
        return paths[0].resolve().name
    folders = {path.parent for path in paths if path.suffix and not has_magic(str(path))}
    return folders.pop().resolve().name if len(folders) == 1 and len(paths) > 1 else ""


def _by_prefix(paths: Sequence[Path]) -> str:
    """Return the beginning that the names of all files of a side share."""
    if len(paths) == 1:
        return paths[0].stem
    first, last = min(stems := [path.stem for path in paths]), max(stems)
    shared = next((at for at, pair in enumerate(zip(first, last, strict=False)) if len({*pair}) > 1), len(first))
    return first[:shared].rstrip("-_. ")


def _in_full(paths: Sequence[Path]) -> str:
    first, *others = map(str, paths)
    return f"{first} and {len(others)} more" if others else first
