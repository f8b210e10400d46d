"""Which metric stands for the quality of the model, and which way it improves."""

from collections.abc import Iterable

from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics.direction import Direction, direction


def quality_metric(monitor: str | None, names: Iterable[str]) -> str | None:
    """Choose the metric that is shown against the emissions.

    Args:
        monitor: Key that is watched; None if none is.
        names: Keys of the metrics there are, in the order in which they were reported.

    Returns:
        The monitored key; else the first that begins with ``val``, one that is not a loss before one that is;
        None if there is no such.
    """
    if monitor is not None:
        return monitor
    validated = [name for name in names if name.startswith("val")]
    return min(validated, key=lambda name: "loss" in name, default=None)


def improves(metric: str, monitor: str | None, mode: str) -> Direction:
    """Tell which way a metric improves: as declared, else by its name.

    Args:
        metric: Its key.
        monitor: The key for which the mode was declared; None if none was.
        mode: The declared mode, ``max`` or ``min``.

    Returns:
        ``max`` where more is better, or the name says nothing; ``min`` where less is.
    """
    if metric == monitor:
        return "min" if mode == "min" else "max"
    try:
        return direction(metric, "auto")
    except ConfigurationError:
        return "max"
