"""The environment variables of this package.

Example:
    >>> SWITCH_VARIABLE, DISABLE_VARIABLE
    ('GREEN_CALLBACKS', 'GREEN_CALLBACKS_DISABLE')
    >>> LOCATION_VARIABLE, INTENSITY_VARIABLE, PUE_VARIABLE
    ('GREEN_CALLBACKS_LOCATION', 'GREEN_CALLBACKS_INTENSITY', 'GREEN_CALLBACKS_PUE')
    >>> LABELS_VARIABLE, BUDGET_VARIABLE, PROJECT_VARIABLE
    ('GREEN_CALLBACKS_LABELS', 'GREEN_CALLBACKS_BUDGET', 'GREEN_CALLBACKS_PROJECT')
    >>> LEDGER_FOLDER_VARIABLE, CONFIG_VARIABLE, PARENT_VARIABLE
    ('GREEN_CALLBACKS_LEDGER_FOLDER', 'GREEN_CALLBACKS_CONFIG', 'GREEN_CALLBACKS_PARENT')
    >>> REGISTRY_VARIABLE
    'GREEN_CALLBACKS_REGISTRY'
    >>> VARIABLES[TOKEN_VARIABLE]
    'the token of Electricity Maps'
"""

from collections.abc import Mapping
from typing import Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.units import described

SWITCH_VARIABLE: Final = "GREEN_CALLBACKS"
"""The variable that lets every ``Trainer`` of Lightning be monitored."""
DISABLE_VARIABLE: Final = "GREEN_CALLBACKS_DISABLE"
"""The variable that switches the package off."""
PARENT_VARIABLE: Final = "GREEN_CALLBACKS_PARENT"
"""The variable that names the runs of ``green-callbacks run`` inside which a process runs."""
CONFIG_VARIABLE: Final = "GREEN_CALLBACKS_CONFIG"
"""Environment variable that names a file which stands in for the file of the user."""
LOCATION_VARIABLE: Final = "GREEN_CALLBACKS_LOCATION"
"""Environment variable that holds the place."""
INTENSITY_VARIABLE: Final = "GREEN_CALLBACKS_INTENSITY"
"""Environment variable that holds the carbon intensity, in gCO2e/kWh."""
PUE_VARIABLE: Final = "GREEN_CALLBACKS_PUE"
"""Environment variable that holds the PUE."""
LABELS_VARIABLE: Final = "GREEN_CALLBACKS_LABELS"
"""Environment variable that holds labels of the run."""
BUDGET_VARIABLE: Final = "GREEN_CALLBACKS_BUDGET"
"""Environment variable that holds a budget, as an amount with its unit."""
PROJECT_VARIABLE: Final = "GREEN_CALLBACKS_PROJECT"
"""Environment variable that holds the folder or pattern of the ledgers of the runs that share the budget."""
LEDGER_FOLDER_VARIABLE: Final = "GREEN_CALLBACKS_LEDGER_FOLDER"
"""Environment variable that holds the folder of ledgers."""
REGISTRY_VARIABLE: Final = "GREEN_CALLBACKS_REGISTRY"
"""Environment variable that holds the URL of the registry of shared budgets."""
TOKEN_VARIABLE: Final = "GREEN_CALLBACKS_ELECTRICITY_MAPS_TOKEN"  # noqa: S105  the variable's name
"""Environment variable that holds the token for Electricity Maps."""

VARIABLES: Final[Mapping[str, str]] = {
    DISABLE_VARIABLE: "whether all measuring and stopping is off (1) or on (0)",
    LOCATION_VARIABLE: "the place",
    INTENSITY_VARIABLE: "the carbon intensity, in gCO2e/kWh",
    PUE_VARIABLE: "the PUE",
    LABELS_VARIABLE: "labels of every run",
    BUDGET_VARIABLE: "a budget of every run, or of the runs of a project together",
    PROJECT_VARIABLE: "the project whose runs share that budget",
    LEDGER_FOLDER_VARIABLE: "the folder of ledgers",
    REGISTRY_VARIABLE: "the database in which runs share a budget",
    CONFIG_VARIABLE: "the file that stands in for the configuration of the user",
    TOKEN_VARIABLE: "the token of Electricity Maps",
    PARENT_VARIABLE: "the runs of green-callbacks run inside which a script runs",
    SWITCH_VARIABLE: "whether every Trainer of Lightning is monitored (1) or not (0)",
}
"""Meaning of every variable, as half a sentence."""

_YES: Final = frozenset({"1", "true", "yes", "on", "y", "t"})
_NO: Final = frozenset({"", "0", "false", "no", "off", "n", "f"})
_PREFIX: Final = "GREEN_CALLBACKS_"
_BEGINNING: Final = "GREEN"
"""Prefix of variables that may be misspelled variables of this package."""
_OURS: Final = 0.7
"""Similarity from which a variable with our prefix is taken for a misspelled one. A ratio, by experiment."""
_OTHERS: Final = 0.9
"""Similarity from which a variable without our prefix is taken for a misspelled one. A ratio, by experiment."""


def is_set(name: str, environ: Mapping[str, str]) -> bool:
    """Return whether a variable switches something on.

    Args:
        name: The variable.
        environ: Environment variables.

    Raises:
        ConfigurationError: Its value means neither yes nor no.

    Example:
        >>> is_set("GREEN_CALLBACKS_DISABLE", {"GREEN_CALLBACKS_DISABLE": "yes"})
        True
    """
    said = environ.get(name, "").strip().lower()
    if said not in _YES | _NO:
        msg = f"{name} is {described(environ[name])}. Write 1 for yes, or 0 for no."
        raise ConfigurationError(msg)
    return said in _YES


def unknown_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that look like misspelled variables of this package, each with a sentence.

    Args:
        environ: Environment variables.

    Example:
        >>> list(unknown_variables({"GREEN_CALLBACKS_LOCATON": "DE", "HOME": "/root"}))
        ['GREEN_CALLBACKS_LOCATON']
    """
    import difflib

    found = {}
    for name in sorted(each for each in environ if each.upper().startswith(_BEGINNING) and each not in VARIABLES):
        is_ours = name.startswith(_PREFIX)
        nearest = difflib.get_close_matches(name.upper(), VARIABLES, n=1, cutoff=_OURS if is_ours else _OTHERS)
        if not is_ours and not nearest:
            continue  # a variable of another program
        hint = f"Did you mean {nearest[0]}?" if nearest else f"The variables are {', '.join(VARIABLES)}."
        found[name] = f"The variable {described(name)[1:-1]} is unknown to this version. {hint}"
    return found
