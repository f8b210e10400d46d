"""The ledger is the file of a run. This room has its format, its writer and its readers."""

from green_callbacks.ledger.closing_line import Closing, closing_of, read_closing
from green_callbacks.ledger.closing_points import Point
from green_callbacks.ledger.contents import LedgerContents
from green_callbacks.ledger.followed_ledger import FollowedLedger
from green_callbacks.ledger.format import SCHEMA
from green_callbacks.ledger.head import Head, RunBudget
from green_callbacks.ledger.ledger_files import is_ledger, shown
from green_callbacks.ledger.line_encoding import Lines
from green_callbacks.ledger.nested_runs import NestedRun, counted, counted_in
from green_callbacks.ledger.overview import LedgerOverview
from green_callbacks.ledger.project_ledgers import ledgers_of
from green_callbacks.ledger.quick_overview import quick_overview
from green_callbacks.ledger.reader import read_ledger
from green_callbacks.ledger.run_ledger import RunLedger

__all__ = [
    "SCHEMA",
    "Closing",
    "FollowedLedger",
    "Head",
    "LedgerContents",
    "LedgerOverview",
    "Lines",
    "NestedRun",
    "Point",
    "RunBudget",
    "RunLedger",
    "closing_of",
    "counted",
    "counted_in",
    "is_ledger",
    "ledgers_of",
    "quick_overview",
    "read_closing",
    "read_ledger",
    "shown",
]
