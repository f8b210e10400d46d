"""The body of Lightning's ``DataReport``, the same for both import roots."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch.utils.data import DataLoader

from green_callbacks._frameworks.lightning.hooks import LightningHooks
from green_callbacks._frameworks.lightning.import_roots import OfLightning
from green_callbacks._frameworks.lightning.trainer import LightningRanks
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.data_report import DataReport
from green_callbacks.data_report.indexed import INDEX, parts_of
from green_callbacks.data_report.report import LN_2
from green_callbacks.errors import ConfigurationError

LOSSES: Final = "per_sample_loss"
CORRECT: Final = "correct"

_NOTHING_RETURNED: Final = (
    "DataReport does nothing, because training_step returns no losses of samples. Return "
    '{"loss": losses.mean(), "per_sample_loss": losses, "index": index}, and wrap the training set in Indexed(…).'
)
_NO_INDEX: Final = (
    "DataReport does nothing, because training_step returns no index of its samples. Wrap the training set in "
    'Indexed(…), and return "index" beside "per_sample_loss".'
)
_SEVERAL_PARTS: Final = (
    "%d parts of the training set are wrapped in Indexed(…), so several samples share an index, and their counts are "
    "mixed. Wrap the whole once, as Indexed(ConcatDataset(…))."
)


class DataReportHooks(OfLightning):
    """Reports what training shows of each sample, from the losses that it computes anyway.

    Wrap the training set in ``green_callbacks.lightning.Indexed``, and return the losses and the index::

        loader = DataLoader(Indexed(training_set), batch_size=64, shuffle=True)

        def training_step(self, batch, batch_idx):
            images, labels, index = batch
            losses = cross_entropy(self(images), labels, reduction="none")
            return {"loss": losses.mean(), "per_sample_loss": losses, "index": index}

    Return ``"correct"``, too, to tell which samples were classified correctly. If the batch is a mapping with an
    ``index``, it need not be returned. Without losses or indices, the callback says so once and does nothing. Batches
    of validations never count.

    Energy and the place of the file come from the ``EmissionsMonitor`` of the same trainer. With several processes, the
    visits of all come together after each epoch. Checkpoints contain the counts, eight bytes a sample. See
    :class:`green_callbacks.data_report.DataReport` for the meaning of each count.

    Args:
        known_below: Loss below which a sample is known. None for a loss that cannot tell. Defaults to ln 2.
        path: File of the report. Defaults to ``<run id>.data.json`` beside the ledger.

    Attributes:
        report: The report.

    Raises:
        ConfigurationError: NumPy is missing, or an option cannot work. At the first hook, the caller is not a
            Lightning trainer.

    Example:
        >>> from green_callbacks.lightning import DataReport, EmissionsMonitor
        >>> callbacks = [EmissionsMonitor(sinks=[]), DataReport()]
        >>> callbacks[1].report.totals().visits
        0
    """

    state_key = "green_callbacks.DataReport"

    def __init__(self, *, known_below: float | None = LN_2, path: str | Path | None = None) -> None:
        self.report = DataReport(known_below=known_below, path=path)
        self._guarded = Guarded()
        self._is_on = False
        self._is_told = False
        self._checkpoint: dict[str, Any] | None = None

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Forget the checkpoint of another stage."""
        self._refuse_foreign(trainer)
        self._checkpoint = None

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin or continue the report of a fit."""
        self._refuse_foreign(trainer)
        self._is_on = not trainer.fast_dev_run
        self._is_told = False
        if not self._is_on:
            return
        monitor = _monitor(trainer)
        self.report.follow(monitor.accountant if monitor is not None else None)
        if monitor is not None:
            self._stand_before(monitor, trainer)
        self.report.share(LightningRanks(trainer))
        if self._checkpoint is not None and trainer.is_global_zero:
            self._guarded.tell("Continuing the report on the data", partial(self._continue, self._checkpoint))
        self._checkpoint = None
        self._guarded.tell("Reading the size of the training set", partial(self._expect, trainer))

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Note the losses of a step."""
        if not self._is_on:
            return
        returned = outputs if isinstance(outputs, Mapping) else {}
        losses, index = returned.get(LOSSES), returned.get(INDEX)
        if index is None and isinstance(batch, Mapping):
            index = batch.get(INDEX)
        if losses is not None and index is not None:
            self.report.observe(index, losses, returned.get(CORRECT))
        elif not self._is_told:
            self._is_told = True
            if trainer.is_global_zero:
                self.report.say("nothing", _NO_INDEX if losses is not None else _NOTHING_RETURNED)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Bring the visits of all processes together, because a checkpoint may follow the validation."""
        if not trainer.sanity_checking:
            self._gather(trainer)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Bring the visits of all processes together."""
        self._gather(trainer)

    def _gather(self, trainer: Any) -> None:
        if self._is_on and trainer.world_size > 1:
            self.report.gather(LightningRanks(trainer))

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Write the report."""
        self._end()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Write the report of the epochs until the exception."""
        self._end()

    def state_dict(self) -> dict[str, Any]:
        """Return the state for the checkpoint, with columns as tensors."""
        state = self.report.state_dict()
        return {**state, "columns": {name: torch.from_numpy(column) for name, column in state["columns"].items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the state of a checkpoint until a fit continues it."""
        self._checkpoint = state_dict

    def _stand_before(self, monitor: Any, trainer: Any) -> None:
        """Move before the monitor, which writes the summary in the same hook in which this callback writes its file."""
        others = [each for each in trainer.callbacks if each is not self]
        place = next(at for at, each in enumerate(others) if each is monitor)
        trainer.callbacks = [*others[:place], self, *others[place:]]  # a new list, because Lightning goes through it

    def _continue(self, state: Mapping[str, Any]) -> None:
        columns = {name: column.cpu().numpy() for name, column in state["columns"].items()}
        try:
            self.report.load_state_dict({**state, "columns": columns})
        except ConfigurationError as error:
            self.report.say("damaged", str(error))

    def _expect(self, trainer: Any) -> None:
        loader = trainer.train_dataloader
        if type(loader) is DataLoader and not loader.num_workers:  # workers share the memory of an index
            self.report.copy_nothing()
        parts = parts_of(getattr(loader, "dataset", None))
        if len(parts) > 1 and trainer.is_global_zero:
            self.report.say("parts", _SEVERAL_PARTS, len(parts))
        if len(parts) == 1:
            self.report.expect(len(parts[0]))

    def _end(self) -> None:
        if self._is_on:
            self._is_on = False
            self._guarded.tell("Writing the report on the data", self.report.finish)


def _monitor(trainer: Any) -> LightningHooks | None:
    return next((each for each in trainer.callbacks if isinstance(each, LightningHooks)), None)
