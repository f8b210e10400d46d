"""A shared budget in words, on one screen."""

from collections.abc import Sequence
from math import isclose
from typing import Final

from green_callbacks.cli.project.accounts import Account
from green_callbacks.cli.project.places import Place
from green_callbacks.registry import RegisteredRun, RunState
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.text.layout import UNKNOWN, aligned, labeled
from green_callbacks.text.wording import duration, percent, significant
from green_callbacks.units import GRAMS_PER_KG, Quantity

_LABEL_WIDTH: Final = 9
"""Width of the column of labels, in characters."""
_MOST_NAMED: Final = 3
"""Largest number of runs that a sentence names."""
_WH_PER_KWH: Final = 1_000.0
"""Wh per kWh."""
_LEFT: Final = (0, 1, 5)
"""Indices of the columns that align left, which are run, state and host."""
_STATES: Final = {RunState.ENTERED: "ledger"}


def as_text(place: Place, accounts: Sequence[Account], top: int) -> str:
    """Write the budgets of a project.

    Args:
        place: The project.
        accounts: Its budgets.
        top: Largest number of runs in a table.

    Returns:
        Lines of plain text.
    """
    blocks = [_block(place, account, top) for account in accounts]
    remarks = [_line("Note", each) for each in accounts[0].remarks]
    return "\n\n".join(["\n".join([_line("Project", place.shown), *remarks]), *blocks])


def settled_sentence(settled: Sequence[RegisteredRun], quantity: Quantity, seconds: float) -> str:
    """Return what came of settling dead runs.

    Args:
        settled: The runs that were settled.
        quantity: Quantity of the budget.
        seconds: Silence from which on a run was taken for dead.
    """
    if not settled:
        return (
            f"No run is to be settled. None has been silent for {duration(seconds)} that was not settled before. For a "
            "run that surely died, name a shorter silence with --silent."
        )
    amount = written(sum(run.settled for run in settled), quantity)
    return f"{_runs(len(settled))} settled ({_names(settled)}). The {amount} that {_held_by(settled)} counts as spent."


def written(amount: float, quantity: Quantity) -> str:
    """Write an amount with its unit.

    Args:
        amount: The amount, in kgCO2e or kWh.
        quantity: What it is an amount of.
    """
    return f"{format_mass(amount)} CO2e" if quantity == "emissions_kg" else format_energy(amount)


def _block(place: Place, account: Account, top: int) -> str:
    lines = [
        _line("Budget", _budget(place, account)),
        _line("Spent", _spent(account)),
        *([_line("Held", _held(account)), _line("Left", _left(account))] if account.is_shared else []),
        *([_line("Dead", _dead(account))] if account.in_state(RunState.DEAD) else []),
        *([_line("Ledgers", _unknown(account))] if account.unknown and account.is_shared else []),
    ]
    if account.runs:
        lines += ["", _table(account, top)]
    if len(account.runs) > top:
        lines.append(f"The {top:,} largest of {_runs(len(account.runs))}. --top {len(account.runs)} shows all.")
    return "\n".join(lines)


def _budget(place: Place, account: Account) -> str:
    limits = account.limits
    if not account.is_shared:
        return f"none. {_below(place)}"
    if limits is None:
        return "not named by any run yet"
    smallest, largest = (written(each, account.quantity) for each in limits)
    if account.set_limit is not None:
        return f"{largest}, set for all runs. {_unused(account)}--set-budget none lets the scripts decide again."
    if limits[0] != limits[1]:
        return f"{smallest} to {largest}, because the scripts name different amounts. Each run keeps to its own."
    return f"{largest}, as the scripts say"


def _below(place: Place) -> str:
    """Return where budgets are shared instead, or how to share one."""
    below = [for_terminal(each) for each in place.projects_below()]
    if not below:
        return f"Runs with CarbonBudget('2 kg', project='{for_terminal(place.project)}') share one."
    more = f" and {len(below) - _MOST_NAMED:,} more" if len(below) > _MOST_NAMED else ""
    return f"Runs share one in {', '.join(below[:_MOST_NAMED])}{more}. Name that folder to see it."


def _unused(account: Account) -> str:
    if not account.runs or any(run.limit is not None for run in account.runs):
        return ""
    kind = "CO2e" if account.quantity == "emissions_kg" else "energy"
    return f"No script has named a budget of {kind} yet, and only such scripts keep it. "


def _spent(account: Account) -> str:
    limits = account.limits
    share = f" ({percent(account.spent / limits[1])})" if limits and limits[1] > 0 else ""
    settled = sum(run.settled for run in account.runs)
    dead = f", of which {written(settled, account.quantity)} was held by sessions that died" if settled else ""
    return f"{written(account.spent, account.quantity)}{share} by {_runs(len(account.runs))}{dead}"


def _held(account: Account) -> str:
    live = account.in_state(RunState.LIVE)
    if not live:
        return "nothing, because no run is live"
    return f"{written(account.held, account.quantity)} for the next epochs of {_runs(len(live), 'live run')}"


def _left(account: Account) -> str:
    if account.limits is None:
        return UNKNOWN
    left = [limit - account.spent - account.held for limit in account.limits]
    texts = [_rest(each, limit, account.quantity) for each, limit in zip(left, account.limits, strict=True)]
    return texts[0] if texts[0] == texts[1] else f"{texts[0]}, to {texts[1]}"


def _rest(left: float, limit: float, quantity: Quantity) -> str:
    if isclose(left, 0.0, abs_tol=1e-9 * limit):
        return "nothing"
    return written(left, quantity) if left > 0 else f"nothing, and {written(-left, quantity)} more is spent or held"


def _dead(account: Account) -> str:
    dead = account.in_state(RunState.DEAD)
    return f"{_runs(len(dead))} fell silent without an end ({_names(dead)}). What {_held_by(dead)} counts as spent."


def _held_by(runs: Sequence[RegisteredRun]) -> str:
    return "it held" if len(runs) == 1 else "they held"


def _unknown(account: Account) -> str:
    runs = [run for run in account.runs if run.run_id in account.unknown]
    amount = written(account.unknown_spent, account.quantity)
    return (
        f"{_runs(len(runs))} only by {'its ledger' if len(runs) == 1 else 'their ledgers'} ({_names(runs)}), {amount}. "
        "The registry learns of them when the next run starts."
    )


def _table(account: Account, top: int) -> str:
    unit, factor = ("g", GRAMS_PER_KG) if account.quantity == "emissions_kg" else ("Wh", _WH_PER_KWH)
    total = account.spent
    rows = [["run", "state", f"spent {unit}", f"held {unit}", "share", "host", "silent"]]
    rows += [
        [
            for_terminal(run.run_id),
            _STATES.get(run.state, run.state.value),
            significant(run.spent * factor),
            significant(run.held * factor) if run.held else UNKNOWN,
            percent(run.spent / total) if total > 0 else UNKNOWN,
            run.host or UNKNOWN,
            duration(run.silent_seconds) if run.state in {RunState.LIVE, RunState.DEAD} else UNKNOWN,
        ]
        for run in account.runs[:top]
    ]
    return aligned(rows, left=_LEFT, longest_cell=40)


def _names(runs: Sequence[RegisteredRun]) -> str:
    names = ", ".join(for_terminal(run.run_id, limit=40) for run in runs[:_MOST_NAMED])
    return f"{names} and {len(runs) - _MOST_NAMED:,} more" if len(runs) > _MOST_NAMED else names


def _runs(number: int, what: str = "run") -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _line(label: str, text: str) -> str:
    return labeled(label, text, label_width=_LABEL_WIDTH)
