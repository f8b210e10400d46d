"""The callback for ``pytorch_lightning``."""

from pytorch_lightning import Callback

from green_callbacks._lightning import LightningHooks


class EmissionsMonitor(LightningHooks, Callback):
    __doc__ = LightningHooks.__doc__


__all__ = ["EmissionsMonitor"]
