"""Energy and CO2e of training runs, measured epoch by epoch, with budgets and early stopping.

With Lightning, add one callback::

    from green_callbacks import CarbonBudget
    from green_callbacks.lightning import EmissionsMonitor      # or .pytorch_lightning, or .keras

    trainer = Trainer(callbacks=[EmissionsMonitor(location="DE", policies=[CarbonBudget("500 g")])])

Importing the package is fast, because each name is loaded at its first use (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from green_callbacks._version import __version__

if TYPE_CHECKING:
    from green_callbacks.accountant import AccountantOptions, EnergyAccountant
    from green_callbacks.data_report import DataReport, Indexed
    from green_callbacks.ledger import read_ledger
    from green_callbacks.policies import CarbonBudget, MarginalGain, Policy, Replay, replay
    from green_callbacks.records import EpochRecord, History, Plan, RunRecord, Verdict
    from green_callbacks.sinks import MlflowSink, Sink, TensorBoardSink, WandbSink
    from green_callbacks.summary import Summary
    from green_callbacks.window import Window, measure

_ROOMS: Final = {
    "accountant": ("AccountantOptions", "EnergyAccountant"),
    "data_report": ("DataReport", "Indexed"),
    "ledger": ("read_ledger",),
    "policies": ("CarbonBudget", "MarginalGain", "Policy", "Replay", "replay"),
    "records": ("EpochRecord", "History", "Plan", "RunRecord", "Verdict"),
    "sinks": ("MlflowSink", "Sink", "TensorBoardSink", "WandbSink"),
    "summary": ("Summary",),
    "window": ("Window", "measure"),
}
"""Rooms of the public names."""

__all__ = [
    "AccountantOptions",
    "CarbonBudget",
    "DataReport",
    "EnergyAccountant",
    "EpochRecord",
    "History",
    "Indexed",
    "MarginalGain",
    "MlflowSink",
    "Plan",
    "Policy",
    "Replay",
    "RunRecord",
    "Sink",
    "Summary",
    "TensorBoardSink",
    "Verdict",
    "WandbSink",
    "Window",
    "__version__",
    "measure",
    "read_ledger",
    "replay",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  an object of any kind
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{room}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return __all__
