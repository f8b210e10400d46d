"""What a training run costs the climate, and when more training no longer pays.

::

    from green_callbacks import CarbonBudget, MarginalGain
    from green_callbacks.lightning import EmissionsMonitor      # or .pytorch_lightning, or .keras

    trainer = Trainer(callbacks=[EmissionsMonitor(location="DE", policies=[CarbonBudget("500 g")])])

Names are loaded when they are first asked for (PEP 562), so that importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from green_callbacks._version import __version__

if TYPE_CHECKING:
    from green_callbacks.accountant import AccountantOptions, EnergyAccountant
    from green_callbacks.ledger import read_ledger
    from green_callbacks.policies import CarbonBudget, MarginalGain, Policy, Replay, replay
    from green_callbacks.records import EpochRecord, History, Plan, RunRecord, Verdict
    from green_callbacks.sinks import Sink, TensorBoardSink
    from green_callbacks.summary import Summary
    from green_callbacks.window import Window, measure

_ROOMS = {
    "accountant": ("AccountantOptions", "EnergyAccountant"),
    "ledger": ("read_ledger",),
    "policies": ("CarbonBudget", "MarginalGain", "Policy", "Replay", "replay"),
    "records": ("EpochRecord", "History", "Plan", "RunRecord", "Verdict"),
    "sinks": ("Sink", "TensorBoardSink"),
    "summary": ("Summary",),
    "window": ("Window", "measure"),
}

__all__ = [
    "AccountantOptions",
    "CarbonBudget",
    "EnergyAccountant",
    "EpochRecord",
    "History",
    "MarginalGain",
    "Plan",
    "Policy",
    "Replay",
    "RunRecord",
    "Sink",
    "Summary",
    "TensorBoardSink",
    "Verdict",
    "Window",
    "__version__",
    "measure",
    "read_ledger",
    "replay",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever is asked for
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{room}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return __all__
