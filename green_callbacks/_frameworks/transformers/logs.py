"""Shows the numbers of the package where Hugging Face's ``Trainer`` shows its own."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from green_callbacks.accountant import EnergyAccountant
from green_callbacks.records import EpochRecord
from green_callbacks.sinks import scalars
from green_callbacks.sinks.scalars import MAIN

_SHOWN: Final = ("green/energy_wh", "green/emissions_total_g")
"""Numbers in progress bars and printed logs. All others go to ``log_history`` and to the sinks."""


class TrainerLogs:
    """Adds the numbers of an epoch to the trainer's history of logs, and to its next line of logs."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._is_new = False

    def add(self, state: Any, record: EpochRecord, accountant: EnergyAccountant) -> None:
        """Add the numbers of a record. Ranks other than 0 have none.

        Args:
            state: The state of the trainer.
            record: The record that has just ended.
            accountant: The accountant of the run.
        """
        if not state.is_world_process_zero or record.epoch is None:
            return
        history = accountant.history
        total_kg = history.emissions_kg or record.emissions_kg  # the latter is None if nothing was measured
        values = scalars(record, total_kg, history.emissions_low_kg, history.emissions_high_kg, history.last_effort)
        shown = {key: value for key, value in values.items() if key.startswith(MAIN)}
        if shown:
            state.log_history.append({**shown, "epoch": state.epoch, "step": state.global_step})
            self._last, self._is_new = {key: shown[key] for key in _SHOWN if key in shown}, True

    def show(self, logs: Any) -> None:
        """Add the numbers to a line of logs of the training, for the callbacks after this one.

        The logs of an evaluation stay as they are, because the trainer chooses models by them.

        Args:
            logs: The logs, which the trainer changes no more.
        """
        if not isinstance(logs, dict):
            return
        if "train_runtime" in logs:  # the result of the training
            logs.update(self._last)
        elif "loss" in logs and self._is_new:
            logs.update(self._last)
            self._is_new = False


def board_folder() -> Path | None:
    """Return the folder of the trainer's TensorBoard run. None without one.

    The list of callbacks is found on the stack, because the trainer does not pass it.
    """
    for callback in _calling_list():
        if type(callback).__name__ == "TensorBoardCallback":
            writer = getattr(callback, "tb_writer", None)
            folder = getattr(writer, "log_dir", None) or getattr(writer, "logdir", None)
            return Path(folder) if isinstance(folder, str | Path) and folder else None
    return None


def _calling_list() -> list[Any]:
    """Return the callbacks of the handler that is calling a hook. Empty if a loop of the user calls it."""
    frame = sys._getframe(1)  # noqa: SLF001  documented, and the only way to ask
    while frame is not None:
        if frame.f_code.co_name == "call_event":
            handler: Mapping[str, Any] = frame.f_locals
            callbacks = getattr(handler.get("self"), "callbacks", None)
            return callbacks if isinstance(callbacks, list) else []
        frame = frame.f_back  # type: ignore[assignment]
    return []
