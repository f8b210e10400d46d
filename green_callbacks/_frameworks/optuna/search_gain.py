"""The body of :class:`green_callbacks.optuna.SearchGain`."""

from typing import Any, Final

from green_callbacks._frameworks.optuna.trial_attributes import spending_by_trial
from green_callbacks.analysis.searches.next_gain import NextGain
from green_callbacks.errors import ConfigurationError
from green_callbacks.text.amounts import format_mass
from green_callbacks.text.log import get_logger
from green_callbacks.text.wording import significant
from green_callbacks.units import described, finite_number

logger = get_logger(__name__)

_PATIENT_TRIALS: Final = 20
"""Number of trials without known emissions after which that is said. Earlier, the first may still run."""


class SearchGain:
    """Ends a study when another trial is not expected to improve the best value enough for its emissions.

    The next of n + 1 trials is the best with a probability of 1 / (n + 1). It is then better by about the mean distance
    of the best five trials. The study ends when this expected gain, per kilogram of a mean trial, falls below a price.
    Pruned and failed trials count with their emissions. The rule supposes that trials are alike by chance. A sampler
    that learns finds better trials for a while, so it is ended rather too early.

    In a study of several objectives, the first objective counts. Where several ranks share a trial, end the loops of
    the other ranks too, because Optuna ends the loop of rank 0 alone.

    Args:
        min_gain_per_kg: The price, as the least improvement of the objective per kgCO2e that is worth it. It is 0.01 if
            a kilogram is worth one percent of accuracy.
        min_trials: Number of ended trials before which the study does not end. Defaults to 10.

    Raises:
        ConfigurationError: A number cannot work.

    Example:
        >>> import optuna
        >>> from green_callbacks.optuna import SearchGain
        >>> optuna.create_study().optimize(lambda trial: 1.0, n_trials=1, callbacks=[SearchGain(0.01)])
    """

    def __init__(self, min_gain_per_kg: float, *, min_trials: int = 10) -> None:
        self._price = _positive("min_gain_per_kg", min_gain_per_kg)
        self._min_trials = _positive("min_trials", min_trials)
        self._has_said = False

    def __call__(self, study: Any, trial: Any) -> None:
        """End the study if the next trial does not pay. Optuna calls this after each trial.

        Args:
            study: The study.
            trial: The trial that has ended.
        """
        reason = self.why_enough(study)
        if reason is not None:
            if not self._has_said:
                self._has_said = True
                logger.warning("The search %s ends. %s", study.study_name, reason)
            study.stop()

    def why_enough(self, study: Any) -> str | None:
        """Return why the next trial does not pay, as a sentence. None if it pays, or if that is not known.

        Args:
            study: The study.
        """
        trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
        spent = spending_by_trial(trials)
        kg = [own.kg for trial in trials if (own := spent.get(trial.number)) and own.kg is not None]
        self._say_unknown(len(trials), len(kg))
        values = [trial.values[0] for trial in trials if trial.state.name == "COMPLETE"]
        rises = study.directions[0].name == "MAXIMIZE"
        found = NextGain.of(values, kg, rises=rises)
        if found is None or len(kg) < self._min_trials or found.per_kg >= self._price:
            return None
        return (
            f"The next trial would take about {format_mass(found.kg)} and is expected to gain "
            f"{significant(found.gain)}. This is {significant(found.per_kg)} per kg, and the price is "
            f"{significant(self._price)} per kg."
        )

    def _say_unknown(self, trials: int, known: int) -> None:
        if trials >= _PATIENT_TRIALS and not known and not self._has_said:
            self._has_said = True
            logger.warning(
                "The emissions of no trial are known, so SearchGain cannot end the study. Measure each trial with "
                "SearchBudget.of(trial)."
            )


def _positive(name: str, given: object) -> float:
    try:
        number = finite_number(given)
    except ValueError:
        number = 0.0
    if number <= 0:
        msg = f"{name} is {described(given)}. Give a number above 0."
        raise ConfigurationError(msg)
    return number
