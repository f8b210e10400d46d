"""Runs of GPUs whose faults are known, made by hand."""

import random
from datetime import UTC, datetime, timedelta

from green_callbacks.records import (
    DeviceActivity,
    DeviceEnergy,
    DeviceInfo,
    EpochRecord,
    History,
    Intensity,
    PhaseEnergy,
)

GRID = Intensity(g_per_kwh=400.0, source="test", found_by="argument")
START = datetime(2026, 1, 1, tzinfo=UTC)
HEALTHY = {
    "utilization": 0.95,
    "throttled_share": 0.02,
    "thermal_share": 0.0,
    "power_cap_share": 0.0,
    "hardware_share": 0.0,
    "limit_watts": 400.0,
}
INFOS = {f"gpu:{at}": DeviceInfo(default_limit_watts=400.0) for at in range(8)}


def record(epoch, *, seconds=120.0, gpus=1, watts=300.0, observed=1.0, flags=(), method="counter", wait=0.02, **fields):
    """A record of GPUs that all do the same. What is no field of a record is a fact about the GPUs."""
    facts = HEALTHY | {name: fields.pop(name) for name in list(fields) if name in HEALTHY}
    each = DeviceEnergy(
        watts * seconds, "gpu", method, seconds, 0.98 * watts * seconds, 1.02 * watts * seconds, flags=flags
    )
    activity = DeviceActivity(observed_seconds=observed * seconds, **facts) if observed else None
    names = [f"gpu:{at}" for at in range(gpus)]
    defaults = {
        "started_at": START + timedelta(seconds=seconds * (epoch or 0)),
        "devices": dict.fromkeys(names, each),
        "intensity": GRID,
        "activity": {} if activity is None else dict.fromkeys(names, activity),
        "data_wait_seconds": None if wait is None or epoch is None else wait * seconds,
    }
    return EpochRecord(epoch=epoch, duration_seconds=seconds, **{**defaults, **fields})


def run(epochs=10, **facts):
    """A run of ten epochs of two minutes."""
    return History([record(epoch, **facts) for epoch in range(epochs)])


def phases(share, seconds=120.0, watts=300.0):
    """Training and validation, which takes a share of the energy."""
    train, validation = ((1 - share) * seconds, share * seconds)
    return {
        "train": PhaseEnergy(train * watts, train),
        "validation": PhaseEnergy(validation * watts, validation),
    }


def batches(sizes, joules_a_sample, seconds=120.0):
    """A run whose epochs have batches of some sizes, with the energy of a sample for each size."""
    step, records = 0, []
    for epoch, size in enumerate(sizes):
        samples = 36_000
        step += samples // size
        watts = joules_a_sample[size] * samples / seconds
        records.append(record(epoch, watts=watts, samples=samples, step=step, steps=samples // size))
    return History(records)


def healthy(seed):
    """A random run in which nothing is wrong enough to be said, however long its epochs and however many its GPUs."""
    chance = random.Random(seed)
    gpus, seconds = chance.choice([1, 1, 2, 8]), 10 ** chance.uniform(0, 4)
    size, records, step = chance.choice([32, 64, 256]), [], 0
    if chance.random() < 0.5:
        records.append(record(None, seconds=chance.uniform(1, 500), utilization=0.0, watts=60.0, gpus=gpus))
    is_small = chance.random() < 0.3  # a model that cannot fill its GPU, whatever its loader does
    for epoch in range(chance.randint(1, 60)):
        own = seconds * chance.uniform(0.9, 1.1)
        watts = chance.uniform(200, 400)
        facts = {
            "utilization": chance.uniform(0.1, 0.8) if is_small else chance.uniform(0.8, 1.0),
            "thermal_share": chance.choice([0.0, chance.uniform(0, 0.05)]),
            "hardware_share": chance.choice([0.0, 0.0, chance.uniform(0, 0.02)]),
            "power_cap_share": chance.uniform(0, 1),
        }
        samples = size * chance.randint(90, 110)
        steps = -(-samples // size)
        step += steps
        records.append(
            record(
                epoch,
                seconds=own,
                watts=watts,
                gpus=gpus,
                observed=chance.choice([1.0, 0.9, 0.3, 0.0]),
                wait=chance.choice([None, 0.0, chance.uniform(0, 0.2 if is_small else 1.0)]),
                samples=samples,
                step=step,
                steps=steps,
                phases=phases(chance.uniform(0, 0.2), own, watts * gpus),
                flags=chance.choice([(), (), ("shared",)]),
                **facts,
            )
        )
    return History(records)
