"""The callbacks for Keras 3, on any backend.

>>> from green_callbacks.keras import EmissionsMonitor, FrontCheckpoint
>>> callbacks = [EmissionsMonitor(location="FR"), FrontCheckpoint("val_accuracy")]

Pass them with ``model.fit(…, callbacks=callbacks)``.
"""

from green_callbacks._frameworks.data_report.keras import DataReport
from green_callbacks._frameworks.keras.front_checkpoint import FrontCheckpoint
from green_callbacks._frameworks.keras.monitor import EmissionsMonitor

__all__ = ["DataReport", "EmissionsMonitor", "FrontCheckpoint"]
