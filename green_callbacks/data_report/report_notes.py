"""What a report on the data could not do or know, each said once and kept in its file."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from green_callbacks.accountant import EnergyAccountant
from green_callbacks.accountant.ranks.torch_group import has_group
from green_callbacks.text.log import get_logger
from green_callbacks.text.wording import significant

if TYPE_CHECKING:
    from green_callbacks.data_report.visit_book import VisitBook

logger = get_logger(__name__)

_LEAST_REACH: Final = 0.75
"""Share of a data set that the indices must reach, as a ratio. Two wrapped halves reach half of it."""


class ReportNotes:
    """The warnings of a report.

    Args:
        accountant: The accountant of the run, whose summary repeats the warnings. None without one.
    """

    def __init__(self, accountant: EnergyAccountant | None) -> None:
        self._accountant = accountant
        self._texts = dict[str, str]()

    def follow(self, accountant: EnergyAccountant | None) -> None:
        """Repeat later warnings in the summary of a run.

        Args:
            accountant: The accountant of the run.
        """
        self._accountant = accountant

    @property
    def texts(self) -> tuple[str, ...]:
        """The warnings so far."""
        return tuple(self._texts.values())

    def say(self, key: str, message: str, *arguments: object) -> None:
        """Log a warning once, and keep it.

        Args:
            key: Its subject.
            message: A format string for the ``%`` operator, with the remedy.
            *arguments: Values for the format string.
        """
        if key in self._texts:
            return
        self._texts[key] = message % arguments if arguments else message
        if self._accountant is not None:
            self._accountant.warn(f"data {key}", "%s", self._texts[key])
        else:
            logger.warning("%s", self._texts[key])

    def resized(self, before: int, now: int) -> None:
        """Say that the data set has another size than before the resume."""
        change = "grown" if now > before else "shrunk"
        self.say(
            "resized",
            "The data set has %s from %d to %d samples since the report began. If old samples have new positions, "
            "their counts are mixed. Then begin a new run.",
            change,
            before,
            now,
        )

    def replaces(self, path: Path) -> None:
        """Say that the report of an earlier process is replaced."""
        self.say(
            "replaced",
            "The report %s of an earlier process or another DataReport is replaced, because its counts were not "
            "continued. Save the state of the DataReport in the checkpoint, and load it. If one run has two reports, "
            "pass path= to one of them.",
            path,
        )

    def unwritten(self, path: Path, reason: OSError) -> None:
        """Say that the file cannot be written."""
        self.say(
            "unwritten",
            "The report on the data cannot be written to %s (%s). Its samples are not listed. Pass path= with a new "
            "file in a writable folder.",
            path,
            reason.strerror or reason,
        )

    def say_not_gathered(self) -> None:
        """Say that visits of this process are missing."""
        self.say(
            "not gathered",
            "The last visits of a process are missing in the report on the data, because gather() did not follow "
            "them. In a loop of your own, call it after each epoch, in every process.",
        )

    def say_saved_before_gathering(self) -> None:
        """Say that a checkpoint lacks visits, because it was saved before the processes brought them together."""
        self.say(
            "saved early",
            "The checkpoint was saved inside an epoch of several processes, so the report on the data lacks the visits "
            "of that epoch until then. Save checkpoints after a validation or an epoch.",
        )

    def say_without_file(self, *, has_run: bool) -> None:
        """Say that there is no file."""
        why = "the run has no ledger" if has_run else "it belongs to no run that is measured"
        self.say("no file", "The report on the data is written to no file, because %s. Pass path= to keep it.", why)

    def say_after_the_end(self, run_id: str) -> None:
        """Say that visits came after the end of the run."""
        message = "The report on the data belongs to the run %s, which has ended. Make a DataReport for each run."
        self.say("ended", message, run_id)

    def known_by(self, counts: Mapping[str, int], known_below: float | None) -> str | None:
        """Return how the report tells that a sample is known, as a sentence. None if it cannot tell.

        Args:
            counts: Counts of visits.
            known_below: Loss below which a sample is known. None if no loss can tell.
        """
        if known_below is None and not counts["by_answer"]:
            return None
        if counts["negative"] and not counts["by_answer"]:
            self.say(
                "negative",
                "Some losses are negative, so they are no cross entropy, and no loss tells whether a sample is known. "
                "Pass correct= with the losses.",
            )
            return None
        below = f"A sample counts as known while its loss is below {significant(known_below or 0.0)}"
        if not counts["by_answer"]:
            return f"{below}, which suits cross entropy."
        if not counts["by_loss"]:
            return "A sample counts as known while the network classifies it correctly."
        return f"{below}, or while the network classifies it correctly where that was reported."

    def look(self, book: "VisitBook", size: int | None) -> None:
        """Look for what makes the report less than whole.

        Args:
            book: The visits.
            size: Number of samples in the data set. None if unknown.
        """
        counts, reached = book.counts, book.table.size
        if counts["without_loss"]:
            message = "%s had a loss that is NaN or infinite. The report leaves such visits out."
            self.say("nan", message, _counted(counts["without_loss"]))
        if counts["out_of_range"]:
            message = "%s had a negative or too large index. The report leaves such visits out. Pass positions from 0."
            self.say("range", message, _counted(counts["out_of_range"]))
        if size is not None and counts["visits"] >= 2 * size and reached < _LEAST_REACH * size:
            message = (
                "The indices end at %d, but the data set has %d samples, so several samples may share an index. "
                "Wrap the whole data set once, as Indexed(ConcatDataset(…))."
            )
            self.say("reach", message, reached - 1, size)
        if not book.is_shared and has_group():
            self.say(
                "one rank",
                "The report covers only the samples of one process. In every process, call share() at the start, "
                "and gather() after each epoch.",
            )


def _counted(visits: int) -> str:
    return "1 visit" if visits == 1 else f"{visits:,} visits"
