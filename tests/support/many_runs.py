"""A folder of runs that look real, as ledgers and event files, written by the package's own encoders.

Runs differ in place, hardware, learning curve and end. Beyond a number of distinct runs, files are copies with a run id
of the same length, so their closing lines stay valid.
"""

import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import exp
from pathlib import Path
from typing import Final

from green_callbacks.carbon import lookup
from green_callbacks.ledger import Head, Lines, closing_of
from green_callbacks.policies import CarbonBudget, MarginalGain, Policy
from green_callbacks.records import DeviceEnergy, DeviceInfo, EpochRecord, History, Intensity, PhaseEnergy, Plan
from green_callbacks.sinks.base import RunContext
from green_callbacks.sinks.tensorboard.board import Board
from green_callbacks.sinks.tensorboard.event_file import EventFile

ZONES: Final = ("DE", "FR", "PL", "SE", "US-CA")
"""Places of the runs, from clean to dirty electricity."""

OLD_SECONDS: Final = 86_400.0
"""Age of the newest finished run, in s. A ledger without a closing line and this old belongs to a killed run."""

DISTINCT: Final = 100
"""Number of distinct runs. More runs are copies, because a million records take minutes to encode."""

_BEGAN: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_KINDS: Final = ("plain", "plain", "loss", "rule", "plain", "budget", "varying", "plain", "rule", "plain")
"""Kinds of runs, repeated one after the other."""

_RARE: Final = {11: "unmeasured", 13: "blind"}
"""Kinds of single runs, by number. One run has no energy and one run has no metric."""


@dataclass(frozen=True)
class MadeRun:
    """One run that is made up.

    Attributes:
        number: Its number, from 0.
        epochs: Number of planned epochs.
        is_killed: Whether its ledger has no closing line.
    """

    number: int
    epochs: int
    is_killed: bool

    @property
    def kind(self) -> str:
        """What is special about the run."""
        return _RARE.get(self.number, _KINDS[self.number % len(_KINDS)])

    @property
    def run_id(self) -> str:
        """Name of the run. All names have the same length."""
        return f"made-run-{self.number:06d}"

    @property
    def name(self) -> str:
        """Folder of the run below the log folder. Every second run belongs to a search."""
        rate = ("0.1", "0.03", "0.01", "0.003")[self.number // 2 % 4]
        return (
            f"search/trial_{self.number // 2 + 1:03d}"
            if self.number % 2
            else f"resnet{(18, 34, 50)[self.number % 3]}_lr{rate}_{self.number:03d}"
        )

    @property
    def metric(self) -> tuple[str | None, str]:
        """Key and mode of the watched metric."""
        return {"blind": (None, "max"), "loss": ("val_loss", "min")}.get(self.kind, ("val_acc", "max"))

    def head(self) -> Head:
        """The head of the ledger."""
        metric, mode = self.metric
        devices = {"cuda:0": DeviceInfo(uuid=f"GPU-{self.number:08x}", product="NVIDIA A100-SXM4-40GB")}
        return Head(
            run_id=self.run_id,
            version="0.1.0",
            plan=Plan(epochs=self.epochs),
            monitor=metric,
            mode=mode,
            pue_source="argument" if self.number % 3 else "world average",
            host=f"node{self.number % 4 + 1:02d}",
            devices=devices,
            labels={"project": "digits"},
            versions={"python": "3.11.9", "torch": "2.9.0"},
        )

    def policies(self) -> Sequence[Policy]:
        """The policies of the run."""
        metric, mode = self.metric
        if self.kind == "rule" and metric is not None:
            return [MarginalGain(metric, mode=mode)]
        if self.kind == "budget":
            return [CarbonBudget(f"{4 + self.number % 7 * 3} g")]
        return []

    def records(self) -> Iterator[EpochRecord]:
        """Yield the records until the planned end."""
        chance = random.Random(self.number)
        yield self._record(chance, None, 20.0, {})
        reach, pace, noise = chance.uniform(0.7, 0.97), chance.uniform(0.02, 0.3), chance.uniform(0.002, 0.01)
        for epoch in range(self.epochs):
            done = (epoch + 1) / self.epochs
            accuracy = reach * (1 - exp(-((done / pace) ** 0.6))) + noise * chance.gauss(0, 1)
            values = {"train_loss": 2.3 * exp(-3 * done) + 0.05 + noise * chance.random()}
            if self.kind != "blind":
                values |= {"val_acc": min(max(accuracy, 0.0), 1.0), "val_loss": 2.5 * (1.01 - accuracy)}
            yield self._record(chance, epoch, chance.uniform(30.0, 33.0), values)
        yield self._record(chance, None, 8.0, {})

    def _record(
        self, chance: random.Random, epoch: int | None, seconds: float, metrics: dict[str, float]
    ) -> EpochRecord:
        scale = 10 ** ((self.number * 7 % 11) / 8)  # costs differ by a factor of twenty
        joules = {"cuda:0": 18.0 * scale * seconds * chance.uniform(0.95, 1.05), "cpu": 6.0 * seconds}
        train = 0.85 * seconds if epoch is not None else 0.0
        total, step = sum(joules.values()), None if epoch is None else 100 * (epoch + 1)
        is_measured = self.kind != "unmeasured"
        phases = {"train": PhaseEnergy(0.9 * total, train), "validation": PhaseEnergy(0.1 * total, seconds - train)}
        at = _BEGAN + timedelta(hours=self.number, seconds=32 * (0 if epoch is None else epoch + 1))
        return EpochRecord(
            epoch=epoch,
            started_at=at if epoch is not None or metrics else at - timedelta(seconds=chance.uniform(1, 2)),
            duration_seconds=seconds,
            devices={name: self._device(name, used, seconds) for name, used in joules.items()},
            intensity=self._intensity(0 if epoch is None else epoch),
            pue=(1.12, 1.3, 1.55)[self.number % 3],
            step=step,
            phases=phases if epoch is not None and is_measured else {},
            metrics=metrics,
            learning_rate=None if epoch is None else 0.1 * (1 - epoch / self.epochs),
            samples=None if epoch is None else 12_800,
        )

    def _device(self, name: str, joules: float, seconds: float) -> DeviceEnergy:
        used = None if self.kind == "unmeasured" else joules
        if name == "cpu":
            low, high = (None, None) if used is None else (0.6 * used, 1.4 * used)
            return DeviceEnergy(used, "cpu", "modelled", seconds, low, high, 0.0, 0.4)
        low, high = (None, None) if used is None else (used - 4.0, used + 4.0)
        method = "counter" if self.number % 4 else "sampled"
        return DeviceEnergy(used, "gpu", method, seconds, low, high, 0.0 if used else seconds, 0.05)

    def _intensity(self, epoch: int) -> Intensity:
        zone = lookup(ZONES[self.number % len(ZONES)])
        if self.kind != "varying":
            return zone
        g_per_kwh = zone.g_per_kwh * (1 + 0.3 * ((epoch // 10) % 5 - 2) / 2)
        return Intensity(g_per_kwh=g_per_kwh, zone=zone.zone, name=zone.name, source="trace", found_by="argument")


class _QuickFile(EventFile):
    """An event file that waits for no disk."""

    def flush(self) -> None:
        """Write everything to the operating system."""
        self._file.flush()


def write_run(run: MadeRun, folder: Path, *, has_events: bool) -> None:
    """Write a run.

    Args:
        run: The run.
        folder: Folder of the run.
        has_events: Whether to write an event file with the stock tags beside the ledger.
    """
    head, history, lines, policies = run.head(), History(), Lines(), run.policies()
    folder.mkdir(parents=True, exist_ok=True)
    context = RunContext(
        run_id=run.run_id, folder=folder, before=History(), history=history, monitor=head.monitor, mode=head.mode
    )
    board = Board(_QuickFile(folder), context) if has_events else None
    written, reason, length = bytearray(lines.head(head)), None, max(2, run.epochs * 2 // 3)
    for record in run.records():
        history.append(record)
        verdicts = tuple(policy.decide(history, head.plan) for policy in policies)
        written += lines.record(record) + (lines.verdicts(verdicts) if verdicts else b"")
        if board is not None:
            board.add(record._replace(verdicts=verdicts))
        reason = next((verdict.reason for verdict in verdicts if verdict.stop), None)
        if reason is not None or (run.is_killed and len(history) > length):
            break
    if run.is_killed:
        written += b'{"type":"record","set":'
    else:
        closing = closing_of(run.run_id, history, monitor=head.monitor, mode=head.mode, stop_reason=reason)
        written += lines.end(reason, replace(closing, head_offset=0), len(written))
    if board is not None:
        board.stream.close()
    ledger = folder / "green-callbacks" / f"{run.run_id}.jsonl"
    ledger.parent.mkdir(exist_ok=True)
    ledger.write_bytes(written)


def make_runs(
    folder: Path, runs: int, epochs: int, *, killed: float = 0.05, has_events: bool = True, distinct: int = DISTINCT
) -> list[Path]:
    """Fill a folder with runs. The last run has just been written to, and has no end yet.

    Args:
        folder: The log folder.
        runs: Number of runs.
        epochs: Planned number of epochs of each run.
        killed: Share of the runs that have no closing line. Defaults to 0.05.
        has_events: Whether to write event files beside the ledgers. Defaults to True.
        distinct: Number of distinct runs. Further runs are copies of these. Defaults to 100.

    Returns:
        The ledgers, oldest first.
    """
    ledgers, made, copies = [], [], Counter()
    for number in range(runs):
        is_last = number == runs - 1
        is_killed = int((number + 1) * killed) > int(number * killed)
        run = MadeRun(number, epochs, is_killed or is_last)
        place = folder / run.name
        # Single rare runs, and the run that goes on, are never copied.
        same = [old for old in made if old.is_killed == run.is_killed and old.kind == run.kind]
        if number < distinct or not same:
            write_run(run, place, has_events=has_events)
            made += [] if number in _RARE or is_last else [run]
        else:
            old = same[number % len(same)]
            copies[old.number] += 1
            _copy(old, run, folder, copies[old.number])
        ledgers.append(place / "green-callbacks" / f"{run.run_id}.jsonl")
        seen = time.time() - (0.0 if is_last else OLD_SECONDS + 60.0 * (runs - number))
        os.utime(ledgers[-1], (seen, seen))
    return ledgers


def grow(ledger: Path, epochs: int = 1) -> None:
    """Append epochs to a ledger without an end, as its run would.

    Args:
        ledger: The ledger. A torn last line is removed first.
        epochs: Number of epochs to append. Defaults to 1.
    """
    content = ledger.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    lines = (json.loads(line) for line in reversed(whole.splitlines()))
    fields = next(line for line in lines if line["type"] == "record" and "epoch" in line)
    with ledger.open("r+b") as file:
        file.truncate(len(whole))
        file.seek(len(whole))
        for _ in range(epochs):
            at = datetime.fromisoformat(fields["at"]) + timedelta(seconds=fields["seconds"])
            fields |= {"epoch": fields["epoch"] + 1, "step": fields["step"] + 100, "at": at.isoformat()}
            file.write(json.dumps(fields, separators=(",", ":")).encode() + b"\n")


def _copy(old: MadeRun, new: MadeRun, folder: Path, months: int) -> None:
    """Copy a run into an earlier month, because two runs do not use one GPU at the same time."""
    month = f"{_BEGAN.year - 1 - months // 12}-{12 - months % 12:02}-"
    source, place = folder / old.name, folder / new.name
    ledger = place / "green-callbacks" / f"{new.run_id}.jsonl"
    ledger.parent.mkdir(parents=True, exist_ok=True)
    content = (source / "green-callbacks" / f"{old.run_id}.jsonl").read_bytes()
    content = content.replace(f"{_BEGAN:%Y-%m-}".encode(), month.encode())
    ledger.write_bytes(content.replace(old.run_id.encode(), new.run_id.encode()))
    for events in source.glob("events.out.tfevents.*"):
        shutil.copyfile(events, place / events.name)
