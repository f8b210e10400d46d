"""Names the trainer's own checkpoints on the Pareto front of quality and emissions."""

from pathlib import Path

from green_callbacks.accountant import EnergyAccountant
from green_callbacks.analysis.pareto import Front
from green_callbacks.records import Checkpoints


def note_checkpoints(accountant: EnergyAccountant, folder: Path | None = None) -> None:
    """Note which checkpoints of the trainer lie on the front. Checkpoints that it has deleted are forgotten.

    Args:
        accountant: The accountant of the run.
        folder: The checkpoint that was saved just now, after the last record. Defaults to None, for no new checkpoint.
    """
    metric, history = accountant.watched, accountant.history
    if metric is None:
        return
    kept = accountant.checkpoints.get(metric.name)
    before = dict(kept.that_exist().rows) if kept else {}
    rows = dict(before)
    if folder is not None and len(history):
        rows[str(folder.absolute())] = len(history) - 1
    on_front = {point.row for point in Front(history, metric)}
    rows = {path: row for path, row in rows.items() if row in on_front}
    if rows != (dict(kept.rows) if kept else {}):
        accountant.keep_checkpoints(metric.name, Checkpoints(metric.mode, rows))
