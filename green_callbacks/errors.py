"""Every exception that the package raises on purpose.

A caller can catch all of them by their common base.

>>> from green_callbacks.units import parse_amount
>>> try:
...     parse_amount("500 lb")
... except GreenCallbacksError as error:
...     print(type(error).__name__)
UnitError

::

    GreenCallbacksError
    ├── ConfigurationError (also a ValueError)   an option that cannot work
    │   ├── UnitError                            an amount that cannot be parsed
    │   └── UnknownZoneError                     a place that is in no table
    ├── SourceUnavailableError                   a sensor that cannot be opened; the message holds the remedy
    ├── LedgerError                              a ledger that cannot be read
    └── BudgetSpentError                         a run that would start with its carbon budget already spent
"""


class GreenCallbacksError(Exception):
    """Base of all exceptions of the package.

    >>> issubclass(LedgerError, GreenCallbacksError)
    True
    """


class ConfigurationError(GreenCallbacksError, ValueError):
    """An option that cannot work. It is raised where the option is given.

    >>> issubclass(ConfigurationError, ValueError)
    True
    """


class UnitError(ConfigurationError):
    """An amount whose number or unit cannot be parsed.

    >>> issubclass(UnitError, ConfigurationError)
    True
    """


class UnknownZoneError(ConfigurationError):
    """A place for which no table holds a carbon intensity. The message names the most similar place.

    >>> issubclass(UnknownZoneError, ConfigurationError)
    True
    """


class SourceUnavailableError(GreenCallbacksError):
    """A sensor that cannot be opened here. The message holds the remedy.

    >>> issubclass(SourceUnavailableError, GreenCallbacksError)
    True
    """


class LedgerError(GreenCallbacksError):
    """A ledger that cannot be read, because it is missing, of a later schema, or no ledger.

    >>> issubclass(LedgerError, GreenCallbacksError)
    True
    """


class BudgetSpentError(GreenCallbacksError):
    """A budget that is already spent before the first batch of a run.

    >>> issubclass(BudgetSpentError, GreenCallbacksError)
    True
    """
