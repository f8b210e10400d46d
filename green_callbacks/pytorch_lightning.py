"""The callbacks for ``pytorch_lightning``.

>>> from green_callbacks.pytorch_lightning import EmissionsMonitor, FrontCheckpoint
>>> callbacks = [EmissionsMonitor(location="DE"), FrontCheckpoint("val_acc")]

Pass them with ``Trainer(callbacks=callbacks)``. Both import roots of Lightning have the same callbacks. A checkpoint
callback must come from the root of its ``Trainer``.
"""

from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint

from green_callbacks._frameworks.data_report.lightning import DataReportHooks
from green_callbacks._frameworks.lightning.front_checkpoint import FrontHooks
from green_callbacks._frameworks.lightning.hooks import LightningHooks
from green_callbacks._frameworks.switched_on.monitor import SwitchedOnHooks
from green_callbacks._frameworks.torch.indexed import Indexed
from green_callbacks._frameworks.torch.recent_average import recent_average


class EmissionsMonitor(LightningHooks, Callback):
    __doc__ = LightningHooks.__doc__


class SwitchedOnMonitor(SwitchedOnHooks, EmissionsMonitor):
    __doc__ = SwitchedOnHooks.__doc__


class FrontCheckpoint(FrontHooks, ModelCheckpoint):
    __doc__ = FrontHooks.__doc__


class DataReport(DataReportHooks, Callback):
    __doc__ = DataReportHooks.__doc__


__all__ = ["DataReport", "EmissionsMonitor", "FrontCheckpoint", "Indexed", "recent_average"]
