"""The callbacks for Keras 3, on any backend."""

from green_callbacks._keras_front import FrontCheckpoint
from green_callbacks._keras_monitor import EmissionsMonitor

__all__ = ["EmissionsMonitor", "FrontCheckpoint"]
