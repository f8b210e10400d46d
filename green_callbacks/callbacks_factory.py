"""The monitor that ``GREEN_CALLBACKS=1`` adds to every ``Trainer`` of Lightning.

::

    GREEN_CALLBACKS=1 python train.py

The script need not know of this package. Lightning itself calls these functions, by its entry points, for every
``Trainer`` of every script in the environment. So they never raise. While the variable is not set, they read it and
import nothing. Keras and Transformers have no such entry points.

Example:
    >>> for_lightning()
    []
"""

import os
from typing import Any, Final

__all__ = ["for_lightning", "for_pytorch_lightning"]

_VARIABLE: Final = "GREEN_CALLBACKS"
_ALIKE: Final = "GREENCALLBACK"
"""The variable in capitals, without what is misspelled most."""

_said: set[str] = set()


def for_lightning() -> list[Any]:
    """Return the callbacks that every ``Trainer`` of ``lightning.pytorch`` gets. Never raises.

    Returns:
        One monitor if ``GREEN_CALLBACKS`` is 1, or else nothing. The monitor takes its options from variables and
        files, and steps aside where the script has a monitor of its own.

    Example:
        >>> for_lightning()
        []
    """
    return _callbacks("green_callbacks.lightning")


def for_pytorch_lightning() -> list[Any]:
    """Return the callbacks that every ``Trainer`` of ``pytorch_lightning`` gets. Never raises.

    Returns:
        As :func:`for_lightning`, for the other import root.

    Example:
        >>> for_pytorch_lightning()
        []
    """
    return _callbacks("green_callbacks.pytorch_lightning")


def _callbacks(adapter: str) -> list[Any]:
    if not os.environ.get(_VARIABLE):
        for name in os.environ:  # a switch that does nothing would be noticed only after the training
            if name.upper().replace("_", "").removesuffix("S") == _ALIKE and name != _VARIABLE:
                _say(f"The variable {name} is unknown. Nothing is monitored by it. Did you mean {_VARIABLE}?")
        return []
    try:
        return _monitors(adapter)
    # Lightning calls this unguarded for every Trainer, and no fault of ours may end a training.
    except Exception as fault:  # noqa: BLE001
        _say(
            f"{type(fault).__name__}: {fault} So {_VARIABLE} adds no monitor, and this training is not measured. "
            f"`green-callbacks doctor` examines the settings. Set {_VARIABLE}=0 to train without this warning."
        )
        return []


def _monitors(adapter: str) -> list[Any]:
    from importlib import import_module

    from green_callbacks.configuration import DISABLE_VARIABLE, is_set

    if not is_set(_VARIABLE, os.environ):
        return []
    if is_set(DISABLE_VARIABLE, os.environ):
        _say(f"{DISABLE_VARIABLE} is set, so {_VARIABLE} adds no monitor.", level="info")
        return []
    return [import_module(adapter).SwitchedOnMonitor()]


def _say(sentence: str, level: str = "warning") -> None:
    """Log a sentence, once in this process, because a script may make many trainers."""
    if sentence in _said:
        return
    _said.add(sentence)
    from green_callbacks.text.log import get_logger

    getattr(get_logger(__name__), level)("%s", sentence)
