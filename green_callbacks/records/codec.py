"""Records as plain JSON types, and back."""

from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Any

from green_callbacks.records.device import DeviceEnergy, PhaseEnergy
from green_callbacks.records.epoch import EpochRecord
from green_callbacks.records.intensity import Intensity
from green_callbacks.records.verdict import Verdict


def encode(record: EpochRecord) -> dict[str, Any]:
    """Write a record as plain JSON types.

    Args:
        record: The record.

    Returns:
        Its stored fields; numbers that JSON does not know (NaN, infinities) as strings.
    """
    return {
        "epoch": record.epoch,
        "step": record.step,
        "closes_epoch": record.closes_epoch,
        "complete": record.complete,
        "started_at": record.started_at.isoformat(),
        "duration_seconds": record.duration_seconds,
        "devices": {name: device._asdict() for name, device in record.devices.items()},
        "phases": {name: phase._asdict() for name, phase in record.phases.items()},
        "intensity": encode_intensity(record.intensity),
        "pue": record.pue,
        "metrics": _numbers(record.metrics),
        "learning_rate": None if record.learning_rate is None else _number(record.learning_rate),
        "samples": record.samples,
        "verdicts": [
            {"stop": bool(v.stop), "code": v.code, "reason": str(v.reason), "values": _numbers(v.values)}
            for v in record.verdicts
        ],
    }


def decode(fields: Mapping[str, Any]) -> EpochRecord:
    """Read what :func:`encode` wrote.

    Args:
        fields: The fields; unknown ones are passed over.

    Returns:
        The record.

    Raises:
        KeyError: A field is missing.
        TypeError: A field is of the wrong type.
        ValueError: A field has a value that cannot be.
    """
    return EpochRecord(
        epoch=fields["epoch"],
        step=fields["step"],
        closes_epoch=fields["closes_epoch"],
        complete=fields["complete"],
        started_at=datetime.fromisoformat(fields["started_at"]),
        duration_seconds=fields["duration_seconds"],
        devices={name: _device(device) for name, device in fields["devices"].items()},
        phases={name: PhaseEnergy(phase["joules"], phase["seconds"]) for name, phase in fields["phases"].items()},
        intensity=decode_intensity(fields["intensity"]),
        pue=fields["pue"],
        metrics={name: float(value) for name, value in fields["metrics"].items()},
        learning_rate=None if fields["learning_rate"] is None else float(fields["learning_rate"]),
        samples=fields["samples"],
        verdicts=tuple(_verdict(verdict) for verdict in fields["verdicts"]),
    )


def encode_intensity(intensity: Intensity) -> dict[str, Any]:
    """Write an intensity as plain JSON types."""
    fields = {name: getattr(intensity, name) for name in intensity.__slots__}
    return {**fields, "flags": list(intensity.flags)}


def decode_intensity(fields: Mapping[str, Any]) -> Intensity:
    """Read what :func:`encode_intensity` wrote."""
    return Intensity(**{**fields, "flags": tuple(fields["flags"])})


def _device(fields: Mapping[str, Any]) -> DeviceEnergy:
    return DeviceEnergy(**{**fields, "flags": tuple(fields["flags"])})


def _verdict(fields: Mapping[str, Any]) -> Verdict:
    values = {name: float(value) for name, value in fields["values"].items()}
    return Verdict(fields["stop"], fields["code"], fields["reason"], values)


def _numbers(values: Mapping[str, float]) -> dict[str, float | str]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: float) -> float | str:
    """Write a number of any library as one that JSON knows, or as text."""
    return float(value) if isfinite(value) else str(float(value))
