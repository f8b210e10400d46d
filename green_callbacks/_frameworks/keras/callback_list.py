"""The list of callbacks that a hook is called from: whose hook it is, and who stands where."""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, Final

import keras

_HOOKS: Final = frozenset(
    hook.__code__
    for name, hook in vars(keras.callbacks.CallbackList).items()
    if name.startswith("on_") and hasattr(hook, "__code__")
)

_WRITERS: Final = (keras.callbacks.CSVLogger, keras.callbacks.TensorBoard, keras.callbacks.RemoteMonitor)
"""Callbacks that write whatever the logs hold when their turn comes."""

_RATES: Final = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
"""Callbacks that change the learning rate as the training goes on."""


def calling_list() -> Any:
    """Return the ``CallbackList`` whose hook is under way on this thread; None where a loop calls the hooks itself.

    Every ``fit`` has one, which its own validation shares. A nested ``fit`` or ``evaluate`` has another.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code in _HOOKS:
            return frame.f_locals["self"]
        frame = frame.f_back
    return None


def blind(callbacks: Sequence[Any], monitor: object) -> Iterator[str]:
    """Go through the callbacks that stand before the monitor, and so see none of its metrics.

    Args:
        callbacks: All callbacks, in order.
        monitor: The monitor.

    Yields:
        Names of the classes of those that would write the metrics, or act on them.
    """
    for each in callbacks:
        if each is monitor:
            return
        watched = getattr(each, "monitor", None) if isinstance(each, keras.callbacks.Callback) else None
        if isinstance(each, _WRITERS) or (isinstance(watched, str) and watched.startswith("green/")):
            yield type(each).__name__


def may_evaluate(callbacks: Sequence[Any]) -> bool:
    """Return whether a callback may evaluate the model inside an epoch: any that is not of Keras, or of ours.

    Args:
        callbacks: All callbacks.
    """
    kinds = (type(each) for each in callbacks)
    return any(
        kind is keras.callbacks.LambdaCallback
        or str(kind.__module__).split(".", 1)[0] not in {"keras", "green_callbacks"}
        for kind in kinds
    )


def sets_the_rate(callbacks: Sequence[Any]) -> bool:
    """Return whether a callback changes the learning rate, by a rule that cannot be read ahead.

    Args:
        callbacks: All callbacks.
    """
    return any(isinstance(each, _RATES) for each in callbacks)


def deletes_its_backup(callbacks: Sequence[Any]) -> bool:
    """Return whether a backup of the training is deleted at the end of the fit.

    Args:
        callbacks: All callbacks.
    """
    backups = (each for each in callbacks if isinstance(each, keras.callbacks.BackupAndRestore))
    return any(getattr(each, "delete_checkpoint", True) for each in backups)
