"""What the trials of this process have spent up to now, which a storage learns of only now and then."""

from typing import Final

_LIVE: Final[dict[tuple[str, int], float]] = {}
"""Emissions in kgCO2e, by the name of the study and the number of the trial."""


def tell(study: str, trial: int, kg: float) -> None:
    """Tell what a trial has spent.

    Args:
        study: Name of the study.
        trial: Number of the trial.
        kg: Its emissions so far, in kgCO2e.
    """
    _LIVE[study, trial] = kg


def forget(study: str, trial: int) -> None:
    """Forget a trial that has ended.

    Args:
        study: Name of the study.
        trial: Number of the trial.
    """
    _LIVE.pop((study, trial), None)


def live_kg(study: str, trial: int) -> float | None:
    """Return what a trial has told, in kgCO2e. None if it has told nothing.

    Args:
        study: Name of the study.
        trial: Number of the trial.
    """
    return _LIVE.get((study, trial))
