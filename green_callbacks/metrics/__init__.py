"""What the metrics of a model say: which way they improve, and which of them stands for its quality."""

from green_callbacks.metrics.direction import Direction, Mode, direction
from green_callbacks.metrics.quality import improves, quality_metric

__all__ = ["Direction", "Mode", "direction", "improves", "quality_metric"]
