import json
from math import inf, nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.analysis.searches.ledger_trials import LedgerTrial, searches_among
from green_callbacks.analysis.searches.next_gain import NextGain
from green_callbacks.analysis.searches.outcome import SUFFIX, Outcome
from green_callbacks.analysis.searches.totals import SearchTotals, SearchTrial

TRIALS = [
    SearchTrial(0, "complete", 0.4, 0.90),
    SearchTrial(1, "pruned", 0.1),
    SearchTrial(2, "complete", 0.2, 0.85),
    SearchTrial(3, "complete", 0.6, 0.95),
    SearchTrial(4, "failed", 0.05),
    SearchTrial(5, "complete", 0.8, 0.94),
    SearchTrial(6, "pruned", 0.1),
    SearchTrial(7, "unfinished", None),
]


def ledger_of(number, folder, **options):
    labels = {"study": "digits", "trial": str(number)}
    given = {"path": folder / f"{number}.jsonl", "labels": labels, "kg": 0.1, "is_closed": True, **options}
    return LedgerTrial(**given)


def test_the_totals_of_a_search_say_what_became_of_its_kilograms():
    search = SearchTotals("digits", TRIALS)

    assert search.kg == pytest.approx(2.25)
    assert search.best == TRIALS[3]
    assert search.after_best_kg == pytest.approx(0.95)
    assert search.saved_kg == pytest.approx(2 * 0.5 - 0.2)
    assert [trial.number for trial in search.front] == [2, 0, 3]
    assert str(search) == (
        "Search digits\n\n"
        "trials      number     CO2e  mean of one  share\n"
        "-----------------------------------------------\n"
        "complete         4  2.00 kg        500 g   89 %\n"
        "pruned           2    200 g        100 g  8.9 %\n"
        "failed           1   50.0 g       50.0 g  2.2 %\n"
        "unfinished       1        -            -    0 %\n"
        "all              8  2.25 kg\n\n"
        "Trial 3 is the best, with a value of 0.9500. Later trials took 950 g.\n"
        "Pruning saved about 800 g, if each pruned trial had taken as much as the mean complete trial.\n"
        "The emissions of 1 trial are not known, and stand in no sum.\n\n"
        "Less CO2e for less quality:\n"
        "trial   CO2e   value\n"
        "--------------------\n"
        "2      200 g  0.8500\n"
        "0      400 g  0.9000\n"
        "3      600 g  0.9500"
    )


def test_a_search_without_trials_or_values_says_what_it_can():
    assert "all          0" in str(SearchTotals("empty", []))
    search = SearchTotals("few", [SearchTrial(0, "pruned", 0.4), SearchTrial(1, "complete", 0.1, nan)], rises=False)
    assert search.best is None
    assert search.after_best_kg is None
    assert "Pruning saved nothing" in str(search)
    assert "300 g more than that" in str(search)


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(-9, 9)), max_size=20), st.booleans())
def test_no_trial_beats_the_front(pairs, rises):
    trials = [SearchTrial(number, "complete", *pair) for number, pair in enumerate(pairs)]
    search = SearchTotals("any", trials, rises=rises)
    for trial in trials:
        assert any(
            each.kg <= trial.kg and (each.value >= trial.value if rises else each.value <= trial.value)
            for each in search.front
        )
    assert search.best is None or search.best.value == (max if rises else min)(value for _, value in pairs)


def test_the_folder_alone_tells_what_became_of_the_trials(tmp_path):
    runs = [
        ledger_of(0, tmp_path, value=0.7),
        ledger_of(1, tmp_path, stop_reason="Trial 1 is pruned at 5 g.", value=0.4),
        ledger_of(2, tmp_path, is_closed=False),
        ledger_of(3, tmp_path, value=0.2),
        ledger_of(4, tmp_path, value=0.9),
        LedgerTrial(path=tmp_path / "other.jsonl", labels={"trial": "7"}, kg=9.0, is_closed=True),
        LedgerTrial(path=tmp_path / "ray.jsonl", labels={"study": "b", "trial": "1_of_x"}, kg=9.0, is_closed=True),
    ]
    Outcome(study="digits", trial=3, state="failed").write(runs[3].path)
    Outcome(study="digits", trial=4, state="complete", values=(0.5, 0.1), rises=(False, True)).write(runs[4].path)

    (search,) = searches_among(runs)

    assert [trial.state for trial in search.trials] == ["complete", "pruned", "unfinished", "failed", "complete"]
    assert search.trials[4].value == 0.5, "the objective counts, and not the metric"
    assert search.kg == pytest.approx(0.5)


def test_the_runs_of_one_trial_are_summed(tmp_path):
    runs = [ledger_of(3, tmp_path, kg=kg) for kg in (0.1, None, 0.2)]
    (search,) = searches_among(runs)
    assert search.trials == [SearchTrial(3, "complete", pytest.approx(0.3))]


def test_a_trial_of_several_runs_ends_as_the_search_took_it_in_whatever_order_they_are_read(tmp_path):
    runs = [ledger_of(3, tmp_path, path=tmp_path / f"{name}.jsonl") for name in "abc"]
    for run, state in zip(runs, ["failed", "pruned", "complete"], strict=True):
        Outcome(study="digits", trial=3, state=state).write(run.path)
    assert searches_among(runs)[0].trials[0].state == "pruned"
    assert searches_among(runs[::2])[0].trials[0].state == "complete", "the objective has tried again"


def test_a_search_that_was_begun_anew_has_trials_of_its_own(tmp_path):
    runs = [ledger_of(0, tmp_path, path=tmp_path / f"{name}.jsonl") for name in "abc"]
    for run, began in zip(runs, ["2026-01-01", "2026-01-01", "2026-01-02"], strict=True):
        Outcome(study="digits", trial=0, state="complete", values=(1.0,), rises=(True,), began=began).write(run.path)
    (search,) = searches_among(runs)
    assert [trial.kg for trial in search.trials] == pytest.approx([0.2, 0.1])
    assert "1 of the trials have the number of another" in str(search)


def test_the_direction_of_the_objective_counts_before_that_of_a_metric(tmp_path):
    runs = [ledger_of(number, tmp_path, value=0.9, rises=True) for number in range(3)]
    Outcome(study="digits", trial=0, state="failed", rises=(True, False)).write(runs[0].path)
    for run, value in zip(runs[1:], (0.3, 0.1), strict=True):
        Outcome(study="digits", trial=1, state="complete", values=(value,), rises=(False,)).write(run.path)
    assert searches_among(runs)[0].best.number == 2


def test_an_outcome_is_what_was_written(tmp_path):
    said = Outcome(study="ä", trial=7, state="pruned", reason="It is.", values=(1.0, -2.0), rises=(True, False))
    assert said.write(tmp_path / "a.jsonl") is None
    assert Outcome.read(tmp_path / "a.jsonl") == said
    assert [path.name for path in tmp_path.iterdir()] == ["a.outcome.json"]
    assert (
        Outcome(study="s", trial=1, state="failed", values=(nan, inf), rises=(True, True)).write(tmp_path / "b.jsonl")
        is None
    )
    assert Outcome.read(tmp_path / "b.jsonl").values == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        '{"study": "a"}',
        '{"study": "a", "trial": 1, "state": "odd"}',
        '{"study": "a", "trial": "x"}',
        '{"study": "a", "trial": 1, "state": "complete", "values": [1], "rises": []}',
        '{"study": "a", "trial": 1, "state": []}',
        '{"study": "a", "trial": Infinity, "state": "complete"}',
        '{"study": "a", "trial": 1, "state": "complete", "values": [1' + "0" * 400 + '], "rises": [true]}',
        "[" * 9000,
    ],
)
def test_a_damaged_outcome_is_none(text, tmp_path):
    (tmp_path / f"a{SUFFIX}").write_text(text)
    assert Outcome.read(tmp_path / "a.jsonl") is None


def test_a_folder_that_refuses_an_outcome_tells_why(tmp_path):
    assert isinstance(Outcome(study="s", trial=1, state="failed").write(Path(tmp_path, "none", "a.jsonl")), OSError)


def test_the_next_gain_is_the_spacing_of_the_best():
    assert NextGain.of([1.0, 2.0, 3.0, 4.0, 5.0, -9.0], [0.2] * 9, rises=True) == NextGain(0.1, pytest.approx(0.2))
    assert NextGain.of([1.0] * 4 + [nan], [0.2] * 9, rises=True) is None
    assert json.dumps(NextGain.of([1.0] * 5, [0.2] * 9, rises=True).per_kg) == "0.0"
