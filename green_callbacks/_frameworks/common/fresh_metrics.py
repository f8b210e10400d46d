"""Separates fresh metrics from older metrics, which a framework keeps beside them."""

from collections.abc import Mapping
from typing import Any

from green_callbacks.sinks import is_ours


class FreshMetrics:
    """Remembers the metrics of a framework that were seen.

    A framework makes a new object whenever it computes a metric, and returns the same object until then.
    """

    def __init__(self) -> None:
        self._seen: dict[Any, Any] = {}

    def fresh(self, metrics: Mapping[Any, Any]) -> dict[str, Any]:
        """Return the metrics that were computed since the last call, without the metrics of this package.

        A metric of several numbers is left out where it is a mapping, because frameworks keep its numbers beside it.

        Args:
            metrics: All metrics that the framework keeps.
        """
        known = {str(key): value for key, value in metrics.items() if not is_ours(str(key))}
        fresh = {key: value for key, value in known.items() if self._seen.get(key) is not value}
        self._seen = known
        return {key: value for key, value in fresh.items() if not isinstance(value, Mapping)}
