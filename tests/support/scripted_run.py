"""Runs made by hand, for tests of what shows them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from green_callbacks.analysis.totals import totals
from green_callbacks.records import DeviceEnergy, EpochRecord, History, Intensity, Method, RunRecord
from green_callbacks.sinks.base import RunContext

START = datetime(2026, 3, 1, tzinfo=UTC)
GERMANY = Intensity(
    g_per_kwh=360.0,
    low_g_per_kwh=300.0,
    high_g_per_kwh=400.0,
    zone="DE",
    name="Germany",
    year=2025,
    scope="lifecycle",
    basis="generation",
    source="A yearly table",
    licence="CC BY 4.0",
    found_by="time zone",
)


def device(
    joules: float | None = None,
    component: str = "gpu",
    method: Method = "counter",
    seconds: float = 10.0,
    **fields: Any,
) -> DeviceEnergy:
    """What one device used."""
    fields = {"low_joules": joules, "high_joules": joules} | fields
    return DeviceEnergy(joules=joules, component=component, method=method, duration_seconds=seconds, **fields)


def record(
    epoch: int | None,
    *,
    gpu_joules: float | None = 3000.0,
    cpu_joules: float | None = 1000.0,
    seconds: float = 10.0,
    **fields: Any,
) -> EpochRecord:
    """An interval of 10 s in Germany with a GPU that is measured and a CPU that is modelled."""
    devices = {
        "gpu:0": device(gpu_joules, "gpu", "counter", seconds, tolerance=0.05),
        "cpu:0": device(cpu_joules, "cpu", "modelled", seconds),
    }
    started_at = START + timedelta(seconds=seconds * (0 if epoch is None else epoch + 1))
    defaults = {"devices": devices, "intensity": GERMANY, "pue": 1.25, "started_at": started_at}
    return EpochRecord(epoch=epoch, duration_seconds=seconds, **{**defaults, **fields})


def run_context(folder: Path, history: History | None = None, **fields: Any) -> RunContext:
    """What a sink is told of a run."""
    history = History() if history is None else history
    return RunContext(**{"run_id": "run-1", "folder": folder, "before": History(), "history": history, **fields})


def finished(history: History, stop_reason: str | None = None, ledger: Path | None = None) -> RunRecord:
    """The totals of a run."""
    return totals(history, "run-1", ledger, stop_reason)
