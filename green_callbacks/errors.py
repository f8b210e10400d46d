"""Every exception that the package raises on purpose.

::

    GreenCallbacksError
    ├── ConfigurationError (also a ValueError)   an option that cannot work, found at construction
    │   ├── UnitError                            an amount that cannot be parsed
    │   └── UnknownZoneError                     a place that is in no table
    ├── SourceUnavailableError                   a sensor that cannot be opened; the message holds the remedy
    ├── LedgerError                              a ledger that cannot be read
    └── BudgetSpentError                         a run that would start with its carbon budget already spent
"""


class GreenCallbacksError(Exception):
    """Base of all exceptions of the package."""


class ConfigurationError(GreenCallbacksError, ValueError):
    """An option that cannot work; raised where the option is given."""


class UnitError(ConfigurationError):
    """An amount whose number or unit cannot be parsed."""


class UnknownZoneError(ConfigurationError):
    """A place for which no table holds a carbon intensity; the message names the nearest."""


class SourceUnavailableError(GreenCallbacksError):
    """A sensor that cannot be opened here; the message says what would change that."""


class LedgerError(GreenCallbacksError):
    """A ledger that cannot be read: missing, of a later schema, or not a ledger."""


class BudgetSpentError(GreenCallbacksError):
    """Raised before the first batch of a run whose budget is already spent."""
