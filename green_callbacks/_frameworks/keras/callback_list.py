"""Finds the list of callbacks that calls a hook, and inspects the callbacks in it."""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, Final

import keras

_HOOKS: Final = frozenset(
    hook.__code__
    for name, hook in vars(keras.callbacks.CallbackList).items()
    if name.startswith("on_") and hasattr(hook, "__code__")
)
"""Code of the hooks of a ``CallbackList``, by which they are found on the stack."""

_WRITERS: Final = (keras.callbacks.CSVLogger, keras.callbacks.TensorBoard, keras.callbacks.RemoteMonitor)
"""Callbacks that write everything that the logs hold when they are called."""

_RATES: Final = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
"""Callbacks that change the learning rate during the training."""

_AVERAGERS: Final = getattr(keras.callbacks, "SwapEMAWeights", ())
"""The callback that validates averaged weights. The first versions of Keras 3 have none."""


def calling_list() -> Any:
    """Return the ``CallbackList`` whose hook is running on this thread. None if a user's loop calls the hooks.

    Each ``fit`` shares its list with its own validation. A nested ``fit`` or ``evaluate`` has another list.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code in _HOOKS:
            return frame.f_locals["self"]
        frame = frame.f_back
    return None


def blind(callbacks: Sequence[Any], monitor: object) -> Iterator[str]:
    """Yield the callbacks before the monitor that need its metrics, which they cannot see there.

    Args:
        callbacks: All callbacks, in order.
        monitor: The monitor.

    Yields:
        Class names of callbacks that write the metrics or act on them.
    """
    for each in callbacks:
        if each is monitor:
            return
        watched = getattr(each, "monitor", None) if isinstance(each, keras.callbacks.Callback) else None
        if isinstance(each, _WRITERS) or (isinstance(watched, str) and watched.startswith("green/")):
            yield type(each).__name__


def may_evaluate(callbacks: Sequence[Any]) -> bool:
    """Return whether a callback may evaluate the model inside an epoch. Callbacks of Keras and of this package do not.

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
    """Return whether a callback changes the learning rate by a rule that cannot be read ahead.

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


def saves_the_average(callbacks: Sequence[Any], saver: object) -> bool:
    """Return whether a callback saves the weights that are validated, where these are an average.

    Args:
        callbacks: All callbacks, in order.
        saver: The callback that saves the model at the end of an epoch.

    Returns:
        True if no weights are averaged, too.
    """
    at = next((place for place, each in enumerate(callbacks) if each is saver), 0)
    return not any(isinstance(each, _AVERAGERS) for each in callbacks) or leaves_the_last_weights(callbacks[:at])


def leaves_the_last_weights(callbacks: Sequence[Any]) -> bool:
    """Return whether Keras leaves the last weights in the model when a fit with averaged weights stops early.

    At the end of such an epoch, the model has the average, and the optimizer keeps the last weights in its place. Only
    the last epoch of the plan puts the average back. At the end of the fit, the model gets what the optimizer keeps.

    Args:
        callbacks: All callbacks.
    """
    averagers = (each for each in callbacks if isinstance(each, _AVERAGERS))
    return any(getattr(each, "swap_on_epoch", False) for each in averagers)
