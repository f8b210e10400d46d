"""The metric that represents the quality of a model."""

from collections.abc import Iterable

from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics.direction import Direction
from green_callbacks.metrics.metric import Metric


def quality_metric(monitor: str | None, names: Iterable[str]) -> str | None:
    """Choose the metric that is shown against the emissions.

    Args:
        monitor: Key of the monitored metric. None if no metric is monitored.
        names: Keys of all metrics, in the order in which they were reported.

    Returns:
        The monitored key if there is one. Otherwise the first key that begins with ``val``, where losses come last.
        None if no key begins with ``val``.

    Example:
        >>> quality_metric(None, ["train_acc", "val_loss", "val_acc"])
        'val_acc'
    """
    if monitor is not None:
        return monitor
    validated = [name for name in names if name.startswith("val")]
    return min(validated, key=lambda name: "loss" in name, default=None)


def improves(metric: str, monitor: str | None, mode: str) -> Direction:
    """Return the direction in which a metric improves, as declared or else by its name.

    Args:
        metric: Key of the metric.
        monitor: Key of the metric for which the mode was declared. None if no mode was declared.
        mode: The declared mode, ``max`` or ``min``.

    Returns:
        ``max`` where more is better or the name implies no direction, ``min`` where less is better.

    Example:
        >>> improves("val_loss", monitor="score", mode="max")
        'min'
    """
    if metric == monitor:
        return "min" if mode == "min" else "max"
    return Metric.or_rising(metric).mode


def metric_of_run(monitor: str | None, mode: str, names: Iterable[str]) -> Metric | None:
    """Return the metric that measures the quality of a whole run.

    Args:
        monitor: Key of the watched metric. None if no metric was watched.
        mode: Direction in which the watched metric improves, ``max`` or ``min``.
        names: Keys of all metrics, in the order in which they were reported.

    Returns:
        The watched metric. Otherwise the metric that :func:`quality_metric` chooses, with the direction that its name
        implies. None if there is no such metric, or if its name implies no direction.

    Example:
        >>> metric_of_run(None, "max", ["train_acc", "val_loss"])
        Metric(name='val_loss', mode='min')
    """
    chosen = quality_metric(monitor, names)
    if chosen is None:
        return None
    if chosen == monitor:
        return Metric.or_rising(chosen, mode)
    try:
        return Metric.of(chosen)
    except ConfigurationError:
        return None
