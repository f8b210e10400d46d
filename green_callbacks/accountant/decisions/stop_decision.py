"""Whether a run is to stop, and why."""

from green_callbacks.accountant.ranks.protocol import Ranks
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)


class StopDecision:
    """The first decision to stop the run. Later decisions do not replace it."""

    def __init__(self) -> None:
        self.reason: str | None = None
        """Why the run is to stop, as a sentence, or None while it goes on."""
        self.epoch: int | None = None
        """The epoch that is open, or the last one, or None before the first."""

    @property
    def is_made(self) -> bool:
        """Whether the run is to stop."""
        return self.reason is not None

    def stop(self, reason: str, where: str, epoch: int | None) -> None:
        """Stop the run, and log why. Does nothing if the run is to stop already.

        Args:
            reason: Why, as a sentence.
            where: ``after`` the epoch, or ``in`` it.
            epoch: Index of the epoch.
        """
        if self.reason is None:
            self.reason = str(reason or "A policy stops the run.")  # a policy may be the user's own
            logger.warning("Stopping %s epoch %s. %s", where, epoch, self.reason)

    def agree(self, ranks: Ranks) -> None:
        """Let rank 0's decision reach all ranks.

        Args:
            ranks: The processes of the run.
        """
        if ranks.size > 1 and ranks.sum([float(self.is_made)])[0] > 0:
            self.follow_rank_0()

    def follow_rank_0(self) -> None:
        """Stop because rank 0 stops."""
        self.reason = self.reason or "Rank 0 decided to stop."
