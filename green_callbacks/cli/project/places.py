"""Finds the registry and the ledgers of the project that a user names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Self, get_args

from green_callbacks.configuration import read_configuration
from green_callbacks.errors import ConfigurationError, GreenCallbacksError
from green_callbacks.ledger.project_ledgers import HIDDEN_FOLDER
from green_callbacks.registry import BudgetRegistry, RegistryUnavailableError, open_registry
from green_callbacks.registry.files.budget_folder import budget_folder, project_folder
from green_callbacks.registry.sql import hide_password
from green_callbacks.text import for_terminal
from green_callbacks.units import Quantity, described

QUANTITIES: Final[tuple[Quantity, ...]] = get_args(Quantity)
"""The quantities that a budget may have."""
_MOST_NAMED: Final = 20
"""Largest number of projects that a message names."""


class RegistryError(GreenCallbacksError):
    """A registry that does not answer, for the end of the command."""


@dataclass(frozen=True)
class Place:
    """A project, and where its budget lies.

    Attributes:
        project: Folder, pattern or name of the project.
        url: URL of the registry. None for files in the folder of the project.
        quantities: Quantities of the budgets that exist.
    """

    project: str
    url: str | None = field(repr=False)  # it may hold a password
    quantities: tuple[Quantity, ...]

    @property
    def shown(self) -> str:
        """The project and its registry for people, without a password."""
        return self.project if self.url is None else f"{self.project} in {hide_password(self.url)}"

    @property
    def has_ledgers(self) -> bool:
        """Whether the project may be a folder or a pattern of this machine, which a name in a registry need not be."""
        return project_folder(self.project).is_dir()

    def projects_below(self) -> list[str]:
        """Return the folders right inside the project that share a budget of their own, as searches have them."""
        if self.url is not None:
            return []
        folders = project_folder(self.project).glob(f"*/{HIDDEN_FOLDER}/budget-*")
        return sorted({os.path.join(self.project, each.parents[1].name) for each in folders})  # noqa: PTH118  as named

    def budgets(self) -> list[tuple[Quantity, BudgetRegistry]]:
        """Open the registries of all budgets that exist."""
        return [(quantity, self.opened(quantity)) for quantity in self.quantities]

    def including(self, quantity: Quantity) -> Self:
        """Return the project with a budget that exists now.

        Args:
            quantity: Quantity of the budget.
        """
        return replace(self, quantities=tuple(each for each in QUANTITIES if each in {*self.quantities, quantity}))

    def opened(self, quantity: Quantity) -> BudgetRegistry:
        """Open the registry of a budget, which need not exist yet.

        Args:
            quantity: Quantity of the budget.
        """
        return open_registry(self.url, self.project, quantity)


@contextmanager
def telling() -> Iterator[None]:
    """Let the command end with the sentence of a registry that does not answer.

    Raises:
        RegistryError: The registry does not answer.
    """
    try:
        yield
    except RegistryUnavailableError as reason:
        raise RegistryError(str(reason)) from None  # its causes may hold a password


def found_place(named: str | None, project: str | None) -> Place:
    """Find a project.

    Args:
        named: Folder or pattern of the project, or URL of the registry. None for the configured project.
        project: Name of the project in the registry of a URL. None for the only one.

    Returns:
        The project.

    Raises:
        ConfigurationError: There is no such project, or the registry holds several and none is named.
        RegistryError: The registry does not answer.
    """
    if named is not None and "://" in named:
        with telling():
            return _in_registry(named, project)
    if named is not None and project is not None:
        msg = f"--project names a project in a registry, but {described(named)} is no URL. Name only one of both."
        raise ConfigurationError(msg)
    wanted = os.path.expanduser(named or project or _configured_project())  # noqa: PTH111  it may be a pattern
    url = _configured_registry()
    if url is not None:
        with telling():
            return _in_registry(url, wanted)
    if not project_folder(wanted).is_dir():
        msg = f"There is no folder {for_terminal(wanted)}. Name the folder of the project, or the URL of its registry."
        raise ConfigurationError(msg)
    quantities = tuple(each for each in QUANTITIES if budget_folder(wanted, each).is_dir())
    return Place(wanted, None, quantities)


def _configured_project() -> str:
    setting = read_configuration().first("project")
    if setting is None or not setting.value:
        msg = "No project is named. Name its folder, or the URL of its registry, or set project in the configuration."
        raise ConfigurationError(msg)
    return str(setting.value)


def _configured_registry() -> str | None:
    setting = read_configuration().first("registry")
    return None if setting is None or not setting.value else str(setting.value)


def _in_registry(url: str, project: str | None) -> Place:
    from green_callbacks.registry.sql.projects import budgets_in

    budgets = budgets_in(url)
    names = sorted({name for name, _ in budgets})
    if project is None and len(names) == 1:
        project = names[0]
    if project is None:
        msg = f"The registry {hide_password(url)} {_known(names)}. Name one with --project."
        raise ConfigurationError(msg if names else _empty(url))
    quantities = tuple(each for each in QUANTITIES if (project, each) in budgets)
    if not quantities and not project_folder(project).is_dir():
        msg = f"The registry {hide_password(url)} does not know {for_terminal(project)}. It {_known(names)}."
        raise ConfigurationError(msg if names else _empty(url))
    return Place(project, url, quantities)


def _empty(url: str) -> str:
    return f"The registry {hide_password(url)} holds no project yet. A run with CarbonBudget(project=…) makes one."


def _known(names: list[str]) -> str:
    shown = ", ".join(for_terminal(name) for name in names[:_MOST_NAMED])
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f"holds {len(names):,} {'project' if len(names) == 1 else 'projects'} ({shown}{more})"
