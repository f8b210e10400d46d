"""What a training run costs the climate, and when more training no longer pays.

::

    from green_callbacks import CarbonBudget, MarginalGain
    from green_callbacks.lightning import EmissionsMonitor      # or .pytorch_lightning, or .keras

    trainer = Trainer(callbacks=[EmissionsMonitor(location="DE", policies=[CarbonBudget("500 g")])])
"""

from green_callbacks._version import __version__
from green_callbacks.accountant import AccountantOptions, EnergyAccountant
from green_callbacks.policies import CarbonBudget, MarginalGain, Policy, Replay, replay
from green_callbacks.records import EpochRecord, History, Plan, RunRecord, Verdict
from green_callbacks.sinks import Sink, TensorBoardSink, read_ledger
from green_callbacks.summary import Summary
from green_callbacks.window import Window, measure

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
