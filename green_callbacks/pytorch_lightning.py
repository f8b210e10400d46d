"""The callbacks for ``pytorch_lightning``."""

from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint

from green_callbacks._frameworks.lightning.front_checkpoint import FrontHooks
from green_callbacks._frameworks.lightning.hooks import LightningHooks


class EmissionsMonitor(LightningHooks, Callback):
    __doc__ = LightningHooks.__doc__


class FrontCheckpoint(FrontHooks, ModelCheckpoint):
    __doc__ = FrontHooks.__doc__


__all__ = ["EmissionsMonitor", "FrontCheckpoint"]
