"""What a report on the training data came to, in words."""

from pathlib import Path

from green_callbacks.ledger.data_file import DataTotals, data_file_of, read_data_totals
from green_callbacks.text.amounts import format_energy
from green_callbacks.text.wording import percent
from green_callbacks.units import joules_to_kwh

__all__ = ["data_sentences", "report_on_data"]


def report_on_data(ledger: Path | None) -> str:
    """Write what the report on the data of a run came to, and name its file.

    Args:
        ledger: The ledger of the run. None if there is none.

    Returns:
        An empty text if the run has no such report.

    Example:
        >>> report_on_data(Path("missing.jsonl"))
        ''
    """
    file = None if ledger is None else data_file_of(ledger)
    totals = None if file is None else read_data_totals(file)
    if file is None or totals is None:
        return ""
    return " ".join([*data_sentences(totals), f"The samples are listed in {file.name} beside the ledger."])


def data_sentences(totals: DataTotals) -> tuple[str, ...]:
    """Write what a report on the data came to.

    Args:
        totals: Its totals.

    Returns:
        The energy that went to known samples, the kinds of samples, and the samples to look at.

    Example:
        >>> data_sentences(DataTotals("my-run", samples=100, visits=600, known_visits=300, forgotten=7))
        ('Of 100 samples, 7 were forgotten at least once.',)
    """
    return tuple(filter(None, (_energy(totals), _kinds(totals), _mislabeled(totals), _duplicates(totals))))


def _energy(totals: DataTotals) -> str:
    if totals.known_by is None or not totals.visits:
        return ""
    share = percent(totals.known_visits / totals.visits)
    if totals.known_joules is None or totals.training_joules is None:
        return f"{share} of the visits went to samples that were known already."
    known, low, high = (format_energy(joules_to_kwh(joules)) for joules in totals.known_joules)
    whole = format_energy(joules_to_kwh(totals.training_joules[0]))
    return f"{share} of the visits went to samples that were known already, {known} ({low} to {high}) of {whole}."


def _kinds(totals: DataTotals) -> str:
    told = [
        (totals.known_at_once, "known at once and never forgotten"),
        (totals.forgotten, "forgotten at least once"),
        (totals.never_learned, "never learned"),
    ]
    parts = [f"{number:,} {'was' if number == 1 else 'were'} {what}" for number, what in told if number is not None]
    of = "1 sample" if totals.samples == 1 else f"{totals.samples:,} samples"
    return f"Of {of}, {', '.join(parts)}." if parts and totals.samples else ""


def _mislabeled(totals: DataTotals) -> str:
    number = totals.probably_mislabeled
    if number is None:
        is_early = totals.known_by is not None and totals.visits > 0
        return "It is too early to say which samples are mislabeled, before most have five visits." if is_early else ""
    if not number:
        return "No samples stand out as mislabeled."
    are = "sample is" if number == 1 else "samples are"
    return f"{number:,} {are} probably mislabeled ({percent(number / totals.samples)})."


def _duplicates(totals: DataTotals) -> str:
    if totals.copies is None:
        return ""
    if not totals.copies:
        return "No two samples are equal."
    found = "1 sample is an exact copy of another."
    if totals.copies > 1:
        found = f"{totals.copies:,} samples are exact copies of others."
    if not totals.conflicting:
        return found
    groups = "group of equal samples has" if totals.conflicting == 1 else "groups of equal samples have"
    return f"{found} {totals.conflicting:,} {groups} different labels."
