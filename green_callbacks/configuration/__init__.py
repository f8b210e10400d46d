"""The settings of user and site, from variables and files, for runs whose scripts say nothing else.

An option of the script overrides a variable, a variable overrides the file of the user, and that file overrides the
files of the site. This holds for each key by itself, with two exceptions. Labels are merged. A place and a carbon
intensity belong together, so both come from the first that says either.

A file of the user is ``~/.config/green_callbacks/config.toml``, or the file that ``GREEN_CALLBACKS_CONFIG`` names. A
file of the site is ``/etc/xdg/green_callbacks/config.toml`` or ``/etc/green_callbacks/config.toml``.

::

    location = "DE"                      # as in EnergyAccountant, or "cloud"
    carbon_intensity = 35.5              # gCO2e/kWh, for a machine with a contract or panels of its own
    pue = 1.2
    budget = "5 kg"                      # for every run, or for all runs of the project together
    project = "~/runs"                   # folder or pattern of the ledgers of the runs that share the budget
    ledger_folder = "~/runs/ledgers"     # where ledgers lie, instead of the log folder
    registry = "sqlite:////runs/b.db"    # database in which the runs of a project share their budget

    [labels]
    team = "vision"

Example:
    >>> read_configuration({"GREEN_CALLBACKS_LABELS": "team=vision, env=prod", "HOME": "/nowhere"}).labels
    {'team': 'vision', 'env': 'prod'}
"""

from green_callbacks.configuration.labels import checked_labels
from green_callbacks.configuration.reading import read_configuration
from green_callbacks.configuration.settings import NONE, Configuration, Setting, Shadowed
from green_callbacks.configuration.variables import (
    BUDGET_VARIABLE,
    CONFIG_VARIABLE,
    DISABLE_VARIABLE,
    INTENSITY_VARIABLE,
    LABELS_VARIABLE,
    LEDGER_FOLDER_VARIABLE,
    LOCATION_VARIABLE,
    PARENT_VARIABLE,
    PROJECT_VARIABLE,
    PUE_VARIABLE,
    REGISTRY_VARIABLE,
    SWITCH_VARIABLE,
    TOKEN_VARIABLE,
    VARIABLES,
    is_set,
    unknown_variables,
)

__all__ = [
    "BUDGET_VARIABLE",
    "CONFIG_VARIABLE",
    "DISABLE_VARIABLE",
    "INTENSITY_VARIABLE",
    "LABELS_VARIABLE",
    "LEDGER_FOLDER_VARIABLE",
    "LOCATION_VARIABLE",
    "NONE",
    "PARENT_VARIABLE",
    "PROJECT_VARIABLE",
    "PUE_VARIABLE",
    "REGISTRY_VARIABLE",
    "SWITCH_VARIABLE",
    "TOKEN_VARIABLE",
    "VARIABLES",
    "Configuration",
    "Setting",
    "Shadowed",
    "checked_labels",
    "is_set",
    "read_configuration",
    "unknown_variables",
]
