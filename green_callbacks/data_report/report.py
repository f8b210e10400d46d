"""The report on the training data, for any loop."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from math import isfinite, log
from pathlib import Path
from typing import Any, Final, Self

from green_callbacks.accountant import EnergyAccountant
from green_callbacks.accountant.ranks.protocol import Ranks
from green_callbacks.analysis.data_sentences import data_sentences
from green_callbacks.data_report.duplicates import Duplicates, find_duplicates
from green_callbacks.data_report.known_energy import KnownEnergy
from green_callbacks.data_report.report_file import named_file
from green_callbacks.data_report.report_notes import ReportNotes
from green_callbacks.data_report.torch_ranks import present_ranks
from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger.data_file import DataTotals, data_file_of, read_data_totals, write_data_file
from green_callbacks.text.log import get_logger
from green_callbacks.text.optional_packages import optional_package
from green_callbacks.units import described

LN_2: Final = log(2)
"""Cross entropy of a sample whose label has half of the probability, in nats. Below it, the label is the likeliest."""

_OF_CALLBACKS: Final = ("state_key", "setup", "set_params", "set_model", "on_init_end")
"""Names that a framework asks a callback for first."""
_NO_CALLBACK: Final = (
    "This DataReport is for your own loop, and something has used it as a callback. For Lightning, import DataReport "
    "from green_callbacks.lightning or green_callbacks.pytorch_lightning."
)

logger = get_logger(__name__)


class DataReport:
    """Reports what training shows of each sample, from the losses that it computes anyway.

    The report tells which samples were known at once and never forgotten, which were forgotten, which were never
    learned, and which are probably mislabeled. It tells how much of the training energy went to samples that were known
    at their three visits before. :meth:`find_duplicates` adds exact duplicates.

    A sample is known if ``correct`` says so. Without ``correct``, it is known while its loss is below ln 2. With cross
    entropy, the right class then has more than half of the probability. With mixed or smoothed labels, pass
    ``correct``. For a regression, pass a loss that is good enough, or ``known_below=None``. Then the report only
    finds duplicates, and draws the losses.

    Samples are probably mislabeled if their mean loss stands apart from the mean loss of all others. That takes five
    visits of each. Long runs learn wrong labels by heart, which the mean over all visits shows for longer than the last
    loss. Samples of a group that is too rare to be learned stand apart, too.

    In a ``Trainer`` of Hugging Face, call :meth:`observe` in ``compute_loss`` while ``model.training``. In a loop of
    several processes, call :meth:`share` at the start and :meth:`gather` after each epoch, in all of them.

    The file is written when the accountant closes, and the summary quotes it. Without an accountant, call
    :meth:`finish` at the end, or write ``with DataReport(path="data.json") as report:``.

    The report takes eight to ten bytes of memory a sample, and as much again while a checkpoint is saved. Its file is
    described in :mod:`green_callbacks.ledger.data_file`.

    Args:
        accountant: The accountant of the run, for its energy and the place of the file. Defaults to none.
        known_below: Loss below which a sample is known. None for a loss that cannot tell. Defaults to ln 2.
        path: File of the report. Defaults to ``<run id>.data.json`` beside the ledger, or no file without a ledger.

    Raises:
        ConfigurationError: NumPy is missing, or an option cannot work.

    Example:
        >>> with EnergyAccountant(sources=[], sinks=[], ledger=False) as accountant:
        ...     report = DataReport(accountant)
        ...     for epoch in accountant.epochs(6):
        ...         report.observe([0, 1, 2, 3], [0.1, 0.2, 0.1, 2.5])
        >>> report.totals().known_at_once, report.totals().never_learned
        (3, 1)
    """

    def __init__(
        self,
        accountant: EnergyAccountant | None = None,
        *,
        known_below: float | None = LN_2,
        path: str | Path | None = None,
    ) -> None:
        optional_package("numpy", what="A DataReport", name="NumPy", extra="data")
        if accountant is not None and not isinstance(accountant, EnergyAccountant):
            msg = f"DataReport takes an EnergyAccountant, not {described(accountant)}."
            raise ConfigurationError(msg)
        if known_below is not None and not (isinstance(known_below, int | float) and isfinite(known_below)):
            msg = f"known_below= takes a loss or None, not {described(known_below)}."
            raise ConfigurationError(msg)
        self._known_below = known_below
        self._path = named_file(path)
        self._begin(accountant)
        self._is_of_loop = accountant is not None

    def _begin(self, accountant: EnergyAccountant | None) -> None:
        from green_callbacks.data_report.visit_book import VisitBook

        self._notes = ReportNotes(accountant)
        self._join(accountant)
        self._book = VisitBook(self._known_below, partial(self._notes.say, "unfit"))
        self._energy = KnownEnergy()
        self._duplicates: Duplicates | None = None
        self._dataset_size: int | None = None
        self._owns_file = self._is_finished = False
        self._is_first_rank = True

    def _join(self, accountant: EnergyAccountant | None) -> None:
        self._accountant = accountant
        self._notes.follow(accountant)
        if accountant is not None:
            accountant.before_close(self._finish_what_is_new)

    def __getstate__(self) -> dict[str, Any]:
        """Return the options. A copy is a new report."""
        return {"_known_below": self._known_below, "_path": self._path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._is_of_loop = False
        self._begin(None)

    def follow(self, accountant: EnergyAccountant | None) -> None:
        """Take the accountant of a run. With the accountant of another run, the report begins anew.

        Args:
            accountant: The accountant. None if there is none.
        """
        if self._accountant is None:
            self._join(accountant)
        elif self._accountant is not accountant:
            self._begin(accountant)

    def __getattr__(self, name: str) -> Any:
        if name in _OF_CALLBACKS:
            raise ConfigurationError(_NO_CALLBACK)
        msg = f"{type(self).__name__!r} object has no attribute {name!r}"
        raise AttributeError(msg, name=name, obj=self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    @property
    def nbytes(self) -> int:
        """Memory of the table of the samples, in bytes."""
        return self._book.table.nbytes

    def observe(self, index: Any, losses: Any, correct: Any = None) -> None:
        """Note the losses of a training step. Losses on an accelerator stay there until later.

        Args:
            index: Position of each sample in the data set, from :class:`Indexed`.
            losses: Loss of each sample, before the mean.
            correct: Whether each sample was classified correctly. Defaults to None, which leaves that to the loss.
        """
        accountant = self._accountant
        if accountant is not None and self._is_first_rank:
            history = accountant.history
            if len(history) != self._energy.rows:
                self._settle_what_is_over()
                self._energy.begin(history)
        if self._is_finished:
            self._go_on()
        self._book.put(index, losses, correct)

    def copy_nothing(self) -> None:
        """Keep values without copies, because each batch has an index and losses of its own."""
        self._book.copy_nothing()

    def say(self, key: str, message: str, *arguments: object) -> None:
        """Log a warning once, and keep it for the file and the summary.

        Args:
            key: Its subject.
            message: A format string for the ``%`` operator, with the remedy.
            *arguments: Values for the format string.
        """
        self._notes.say(key, message, *arguments)

    def expect(self, size: int) -> None:
        """Take the number of samples in the data set, so that the table need not grow.

        Args:
            size: The number. If it differs from the number before a resume, that is said.
        """
        before, self._dataset_size = self._dataset_size, size
        if before is not None and before != size:
            self._notes.resized(before, size)
        if self._is_first_rank:
            self._book.table.reserve(size)

    def share(self, ranks: Ranks | None = None) -> None:
        """Begin a run of several processes. From here on, :meth:`gather` brings their visits together.

        Args:
            ranks: The processes. Defaults to the process group of ``torch.distributed``.
        """
        ranks = ranks or present_ranks()
        self._book.is_shared = ranks.size > 1
        self._is_first_rank = ranks.rank == 0

    def gather(self, ranks: Ranks | None = None) -> None:
        """Bring the visits of all processes to the first. Call it at the end of each epoch, in every process.

        Args:
            ranks: The processes. Defaults to the process group of ``torch.distributed``.
        """
        self._book.gather(ranks or present_ranks())

    def find_duplicates(
        self,
        dataset: Any,
        split: Callable[[Any], tuple[Any, Any]] | None = None,
    ) -> Duplicates:
        """Find samples that are equal, byte by byte, in one pass over a data set without augmentation.

        Args:
            dataset: The data set.
            split: Returns the input and the label of a sample. Defaults to what :func:`find_duplicates` describes.

        Returns:
            The groups of equal samples, which the report then names.

        Raises:
            ConfigurationError: The data set has no positions, changes its samples at random, or holds objects whose
                bytes are not known.
        """
        self._duplicates = find_duplicates(dataset, split)
        return self._duplicates

    def totals(self) -> DataTotals:
        """Return what the report has come to so far."""
        return self._outcome()[0]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the report has come to so far, in words."""
        return data_sentences(self.totals())

    def plot(self, path: str | Path) -> None:
        """Draw the mean loss of the samples, by kind of sample.

        Args:
            path: The picture. Its ending tells the format, such as ``.png`` or ``.svg``.

        Raises:
            ConfigurationError: ``matplotlib`` is missing, or the picture cannot be written.
        """
        from green_callbacks.data_report.picture import plot

        plot(Path(path), self.totals())

    def write(self) -> Path | None:
        """Write the file of the report.

        Returns:
            The file. None if there is no place for it, or if it cannot be written. That is said once.
        """
        if not self._is_first_rank:
            return None
        path = self._path
        if path is None and self._accountant is not None and self._accountant.ledger is not None:
            path = data_file_of(self._accountant.ledger)
        if path is None:
            self._notes.say_without_file(has_run=self._accountant is not None)
            return None
        before = None if self._owns_file else read_data_totals(path)
        if before is not None and before.visits:
            self._notes.replaces(path)
        try:
            write_data_file(path, *self._outcome())
        except OSError as reason:
            self._notes.unwritten(path, reason)
            return None
        self._owns_file = True
        return path

    def finish(self) -> None:
        """End the report, and write its file. Later visits go on with it.

        The accountant of the report calls it when it closes.
        """
        self._is_finished = True
        self._book.move()
        if self._accountant is not None and self._is_first_rank:
            self._energy.is_over(self._accountant.history)
            self._settle()
        if self._is_first_rank and self._book.has_unsent:
            self._notes.say_not_gathered()
        if not self._is_first_rank or not (self._book.counts["visits"] or self._duplicates):
            return
        path = self.write()
        logger.info("%s%s", " ".join(self.sentences), f" The samples are listed in {path}." if path else "")

    def state_dict(self, *, copy: bool = True) -> dict[str, Any]:
        """Return the state for a checkpoint. It takes eight bytes a sample.

        Args:
            copy: Whether later visits leave the returned state as it is. Defaults to True.
        """
        self._book.move()
        if self._is_first_rank:
            self._settle_what_is_over()
        own = {"dataset_size": self._dataset_size, "lacks_visits": self._book.has_unsent}
        return {**self._book.state(copy=copy), "energy": self._energy.state(), **own}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue the report of a checkpoint.

        Args:
            state: What :meth:`state_dict` returned.

        Raises:
            ConfigurationError: The state is of another version, or damaged.
        """
        energy = KnownEnergy()
        try:
            energy.load(state["energy"])
            size = None if state.get("dataset_size") is None else int(state["dataset_size"])
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            msg = f"The state of the report on the data cannot be read ({error!r}). Resume without it."
            raise ConfigurationError(msg) from error
        self._book.load(dict(state))
        self._energy = energy
        if state.get("lacks_visits"):
            self._notes.say_saved_before_gathering()
        if self._dataset_size is not None and size is not None and size != self._dataset_size:
            self._notes.resized(size, self._dataset_size)
        self._dataset_size = self._dataset_size or size
        self._owns_file = True

    def _go_on(self) -> None:
        self._is_finished = False
        if self._is_of_loop and self._accountant is not None and not self._accountant.is_live:
            self._notes.say_after_the_end(self._accountant.run_id)

    def _finish_what_is_new(self) -> None:
        if not self._is_finished:
            self.finish()

    def _settle_what_is_over(self) -> None:
        """Divide the energy of an epoch whose record is there by now."""
        if self._accountant is not None and self._energy.is_over(self._accountant.history):
            self._settle()

    def _settle(self) -> None:
        self._book.move()
        if self._accountant is not None:
            self._energy.settle(self._accountant.history, *self._book.take("visits", "known_visits"))

    def _outcome(self) -> tuple[DataTotals, dict[str, Iterable[Any]]]:
        from green_callbacks.data_report.outcome import Facts, outcome

        self._book.move()
        known_by = self._notes.known_by(self._book.counts, self._known_below)
        self._notes.look(self._book, self._dataset_size)
        run_id = self._accountant.run_id if self._accountant is not None else ""
        facts = Facts(run_id, known_by, self._dataset_size, self._duplicates, self._notes.texts)
        return outcome(self._book, self._energy, facts)
