"""The public surface as users type it: checked by mypy, never run."""

from green_callbacks import CarbonBudget, EnergyAccountant, EpochRecord, MarginalGain, Plan, measure, replay
from green_callbacks.carbon import lookup
from green_callbacks.policies import CountsEmissions, Describes, SharedBudget, Titled, WatchesMetric
from green_callbacks.sources import CpuModelSource, NvmlSource, PowercapSource, ScriptedSource


def plain_loop() -> float | None:
    with EnergyAccountant(location="FR", policies=[CarbonBudget("500 g"), MarginalGain("val_acc")]) as accountant:
        for epoch in accountant.epochs(100):
            accountant.observe({"val_acc": epoch / 100})
    return accountant.close().emissions_kg


def one_epoch() -> EpochRecord:
    accountant = EnergyAccountant(
        sources=[NvmlSource(uuids=["GPU-0"]), PowercapSource(root="/sys/class/powercap"), CpuModelSource()],
        carbon_intensity=lookup("DE").g_per_kwh,
        pue=1.2,
        ledger=False,
    )
    accountant.start()
    accountant.begin_epoch(0)
    with accountant.phase("validation"):
        accountant.observe({"val_acc": 0.9}, learning_rate=0.1, samples=100)
    return accountant.end_epoch()


def short_window() -> float | None:
    with measure(sources=[ScriptedSource(300.0)]) as window:
        pass
    return window.energy_joules


def finished_run(accountant: EnergyAccountant) -> str:
    stopped = replay(accountant.history, MarginalGain("val_acc", min_gain_per_kg=0.05), Plan(epochs=100))
    return stopped.verdict.reason if stopped else "never"


def shared_budget() -> SharedBudget:
    return CarbonBudget("500 g", project="logs")


def describing() -> tuple[Describes, WatchesMetric, CountsEmissions, Titled]:
    return MarginalGain("val_acc"), MarginalGain("val_acc"), CarbonBudget("500 g"), CarbonBudget("500 g")
