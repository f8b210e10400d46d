"""The index of a project, which remembers the totals of ledgers that have not changed."""

from green_callbacks.ledger.index.ledger_entry import LedgerEntry, UnreadLedger, entry_of
from green_callbacks.ledger.index.ledger_index import LedgerIndex

__all__ = ["LedgerEntry", "LedgerIndex", "UnreadLedger", "entry_of"]
