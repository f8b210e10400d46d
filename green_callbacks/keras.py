"""The callbacks for Keras 3, on any backend."""

from green_callbacks._frameworks.keras.front_checkpoint import FrontCheckpoint
from green_callbacks._frameworks.keras.monitor import EmissionsMonitor

__all__ = ["EmissionsMonitor", "FrontCheckpoint"]
