"""Reads a ledger in full whenever it has changed."""

from pathlib import Path

from green_callbacks.errors import LedgerError
from green_callbacks.ledger import Head, LedgerContents, closing_of
from green_callbacks.ledger.overview import LedgerOverview
from green_callbacks.ledger.reader import read_quietly


class FollowedLedger:
    """A ledger that grows.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.overview: LedgerOverview | None = None
        self.problem: str | None = None

    def refresh(self) -> bool:
        """Read the ledger."""
        try:
            contents, remark = read_quietly(self.path)
        except LedgerError as reason:
            self.overview, self.problem = None, str(reason)
        else:
            self.overview, self.problem = _overview(self.path, contents, remark), None
        return True


def _overview(path: Path, contents: LedgerContents, remark: str | None) -> LedgerOverview:
    history, run_id = contents.history, contents.run_id
    first = history[0] if history else None
    return LedgerOverview(
        path=path,
        head=Head(run_id=run_id, version=contents.version, host=contents.host, labels=contents.labels),
        closing=closing_of(run_id, history, monitor=contents.monitor, mode=contents.mode),
        is_closed=contents.is_closed,
        plan=contents.plan,
        began_at=None if first is None else first.started_at,
        intensity=None if first is None else first.intensity,
        pue=None if first is None else first.pue,
        remark=remark,
    )
