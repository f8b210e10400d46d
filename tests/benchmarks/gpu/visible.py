"""All GPUs that this process sees, while they idle: each is counted, and by which method."""

import time

from load import IDLE
from plan import Bench, Figures


def visible(bench: Bench) -> Figures:
    """Measure one epoch in which nothing is done, on every GPU."""
    from green_callbacks import EnergyAccountant
    from green_callbacks.sources import NvmlSource

    bench.load.prepare(IDLE)
    with EnergyAccountant(
        sources=[NvmlSource()], location="World", pue=1.0, sinks=[], ledger=bench.folder / "idle.jsonl"
    ) as accountant:
        accountant.begin_epoch(0)
        time.sleep(bench.plan.idle_seconds)
        record = accountant.end_epoch()
    found: Figures = {
        "GPUs that the framework sees": bench.gpus if bench.gpus is not None else "not told",
        "GPUs counted": len(record.devices),
        "GPUs measured": sum(device.joules is not None for device in record.devices.values()),
    }
    for name, device in record.devices.items():
        watts = f"{device.joules / record.duration_seconds:.1f} W" if device.joules is not None else "not measured"
        found[name] = (
            f"{watts}, {device.method}, gap {device.gap_seconds:.2f} s, {', '.join(device.flags) or 'no flag'}"
        )
    return found
