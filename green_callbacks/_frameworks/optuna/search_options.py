"""The options of a search, and the place of its ledgers."""

import glob
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from green_callbacks.accountant import EnergyAccountant
from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Metric
from green_callbacks.units import described

_LONGEST_NAME: Final = 60
"""Largest length of a study's name in the name of a folder, in characters. Longer names are cut."""
_LABELS: Final = ("study", "trial")
"""Labels that each run of a search gets."""


def checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of accountants. A search sets some of them itself.

    Args:
        options: The options by name.

    Raises:
        ConfigurationError: An option cannot work, or belongs to the search.
    """
    if options.get("ledger") is not None:
        msg = "A search names the ledgers of its trials itself. Name their folder with project=."
        raise ConfigurationError(msg)
    taken = [name for name in _LABELS if name in (options.get("labels") or {})]
    if taken:
        msg = f"A search sets the label {described(taken[0])} itself. Give yours another name."
        raise ConfigurationError(msg)
    EnergyAccountant(**options)  # refuses what cannot work, before the first trial
    return dict(options)


def checked_metric(monitor: str | None, mode: str) -> tuple[str | None, str]:
    """Return the metric that a pruner compares, and its direction.

    Args:
        monitor: Key of the metric, or None.
        mode: ``max``, ``min`` or ``auto``.

    Raises:
        ConfigurationError: The key is no text, or there is no such direction.
    """
    if monitor is not None and (not isinstance(monitor, str) or not monitor):
        msg = f"monitor takes the key of a metric such as 'val_acc', not {described(monitor)}."
        raise ConfigurationError(msg)
    if mode != "auto":
        Metric.of(monitor or "metric", mode)  # type: ignore[arg-type]  # it refuses any other text
    return monitor, mode


def project_folder(given: str | os.PathLike[str] | None) -> Path | None:
    """Return the folder of a project. It stays the same if a trial changes the working folder.

    Args:
        given: What the user named, or None.

    Raises:
        ConfigurationError: It is a pattern.
    """
    if given is None:
        return None
    if not isinstance(given, str | os.PathLike):
        msg = f"project takes a folder, not {described(given)}."
        raise ConfigurationError(msg)
    if glob.has_magic(os.fspath(given)):
        msg = f"The project of a search must be one folder, and {described(os.fspath(given))} is a pattern."
        raise ConfigurationError(msg)
    return Path(given).expanduser().absolute()


def folder_name(name: str) -> str:
    """Return a study's name as the name of a folder. Names that differ give names that differ.

    Args:
        name: The name of the study.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)[:_LONGEST_NAME].lstrip(".") or "study"
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
