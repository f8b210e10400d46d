"""Which metric stands for the quality of the model."""

from collections.abc import Iterable


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
