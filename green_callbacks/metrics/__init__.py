"""Metrics of a model, the direction in which each metric improves, and the metric that represents quality."""

from green_callbacks.metrics.direction import Direction, Mode, direction
from green_callbacks.metrics.metric import Metric
from green_callbacks.metrics.quality import improves, metric_of_run, quality_metric

__all__ = ["Direction", "Metric", "Mode", "direction", "improves", "metric_of_run", "quality_metric"]
