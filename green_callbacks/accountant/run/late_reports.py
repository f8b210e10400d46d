"""What an adapter reports of a run after its start, and what it may ask."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from green_callbacks.accountant.loops.data_waits import DataWaits
from green_callbacks.metrics import Metric
from green_callbacks.records import Checkpoints

if TYPE_CHECKING:
    from green_callbacks.accountant.run.idle_run import IdleRun
    from green_callbacks.accountant.run.run import Run
    from green_callbacks.accountant.setup.resume import RunState


class LateReports:
    """The part of an accountant to which an adapter reports metrics, validations and checkpoints."""

    _state: "RunState"
    _run: "Run | None"

    if TYPE_CHECKING:

        @property
        def _live(self) -> "Run | IdleRun": ...

    @property
    def data_waits(self) -> DataWaits:
        """Takes note of when training asks for a batch, and when the batch arrives. Ignores it without a live run."""
        return self._live.epochs.waits

    def count(
        self,
        *,
        step: int | None = None,
        samples: int | None = None,
        tokens: int | None = None,
        flops: float | None = None,
    ) -> None:
        """Report counts that the framework knows. A count that the user observes in the open interval goes before.

        Args:
            step: Optimizer steps so far. Defaults to None, if unknown.
            samples: Training samples since the last call. Defaults to None, if unknown.
            tokens: Training tokens since the last call. Defaults to None, if unknown.
            flops: Floating-point operations since the last call. Defaults to None, if unknown.
        """
        epochs = self._live.epochs
        counts = {"samples": samples, "tokens": tokens, "flops": flops}
        new = {name: None if epochs.has_counted(name) else number for name, number in counts.items()}
        epochs.note(None, {"step": step, **new}, by_framework=True)

    @property
    def watched(self) -> Metric | None:
        """The metric that stands for the quality of the model. None if nothing watches a metric, or before a start."""
        return None if self._run is None else self._run.board.watched

    def watch(self, metric: str, mode: str, who: str = "FrontCheckpoint") -> None:
        """Watch a metric beside the policies.

        If no policy watches a metric, this metric stands for the quality of the model.

        Args:
            metric: Its key.
            mode: ``max`` or ``min``, the direction in which the metric improves.
            who: Name of what watches it, for a warning if it is missing. Defaults to ``FrontCheckpoint``.
        """
        self._live.knowledge.watch(metric, mode, who)

    def expect_validation(self, every_epochs: int | None) -> None:
        """Report how often the framework validates, so that a warning about a missing metric comes early.

        Args:
            every_epochs: Interval between two validations, in epochs, or None for no validation.
        """
        self._live.knowledge.expect_validation(every_epochs)

    def expect_no_epochs(self) -> None:
        """Report that the training counts steps over endless data, so that an epoch may never end."""
        self._live.knowledge.expect_no_epochs()

    def explain_missing(self, metrics: Collection[str], why: str, remedy: str) -> None:
        """Explain why metrics are missing. Warns only of metrics that are watched and were never reported.

        Args:
            metrics: Their keys.
            why: The reason, as half a sentence.
            remedy: The remedy, as a sentence.
        """
        self._live.knowledge.explain_missing(metrics, why, remedy)

    def keep_checkpoints(self, metric: str, kept: Checkpoints) -> None:
        """Replace the Pareto checkpoints that are known of a metric.

        Args:
            metric: Key of the metric.
            kept: All checkpoints on its Pareto front that are on the disk.
        """
        self._state.checkpoints[metric] = kept
        self._live.knowledge.keep_checkpoints(metric, kept)
