"""A comparison in sentences, from ratios that are given."""

import pytest
from support.quality_curves import trained
from support.reaching_runs import TARGET, reached

from green_callbacks.analysis.comparing import Group
from green_callbacks.analysis.comparing.equal_quality import Comparison, Side
from green_callbacks.analysis.comparing.equal_quality.censored import LogRank
from green_callbacks.analysis.comparing.equal_quality.comparison import Compared
from green_callbacks.analysis.comparing.equal_quality.ratio import Ratio
from green_callbacks.analysis.comparing.equal_quality.sentences import (
    claim,
    difference,
    interval,
    main_sentences,
    method_sentence,
    more_runs,
    run_sentences,
)

WELCH = {"p_value": 0.001, "method": "welch", "runs": (5, 5)}


def comparison(ratio=None, *, first=None, second=None, quantity="energy", **fields):
    sides = [Side.of(group, TARGET) for group in (first or reached("new", 1.0), second or reached("old", 1.0))]
    compared = Compared(quantity=quantity, ratio=ratio, **{"costs": ([1.0], [1.0]), **fields})
    return Comparison(target=TARGET, first=sides[0], second=sides[1], is_paired=False, quantities=[compared], unlike=[])


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.82, "18 % less"),
        (0.058, "94 % less"),
        (0.0034, "99.66 % less"),
        (1e-9, "more than 99.99 % less"),
        (1.0004, "as much"),
        (1.0, "as much"),
        (1.012, "1.2 % more"),
        (1.996, "100 % more"),
        (2.0, "2.00 times as much"),
        (12345.0, "12,345 times as much"),
    ],
)
def test_a_ratio_is_written_as_a_difference(ratio, text):
    assert difference(ratio) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.76, 0.89, "11 to 24 %"),
        (1e-4, 0.0034, "99.66 to 99.99 %"),
        (1.05, 1.2, "5 to 20 %"),
        (0.88, 1.05, "12 % less to 5 % more"),
        (0.9, 1.0, "10 % less to as much"),
        (1.0, 1.1, "as much to 10 % more"),
        (1.5, 3.0, "50 % more to 3.00 times"),
        (2.5, 3.0, "2.50 times as much to 3.00 times"),
        (0.5, 4.0, "50 % less to 4.00 times as much"),
    ],
)
def test_an_interval_is_written_on_the_side_where_it_lies(low, high, text):
    assert interval(Ratio(estimate=1.0, low=low, high=high, **WELCH)) == f"95 %: {text}; 5 against 5 runs"


def test_pairs_are_named():
    ratio = Ratio(estimate=0.8, low=0.7, high=0.9, p_value=0.01, method="paired", runs=(3, 3))
    assert interval(ratio) == "95 %: 10 to 30 %; 3 pairs of runs"
    assert method_sentence(comparison(ratio).of("energy")).startswith(
        "Paired t-test on logarithms, by seed, p = 0.010."
    )


def test_a_difference_is_one_sentence():
    found = comparison(Ratio(estimate=0.82, low=0.76, high=0.89, **WELCH))
    assert main_sentences(found) == [
        "new needs 18 % less energy than old to reach val_acc 0.9 (95 %: 11 to 24 %; 5 against 5 runs)."
    ]
    assert claim(found, "energy") == main_sentences(found)[0]


def test_no_difference_says_how_many_runs_would_show_one():
    found = comparison(Ratio(estimate=0.96, low=0.88, high=1.05, **WELCH), needed=13)
    assert main_sentences(found) == [
        "No difference in energy is shown.",
        "new needed 4 % less energy than old to reach val_acc 0.9 (95 %: 12 % less to 5 % more; 5 against 5 runs).",
        "8 more runs each would show a difference of 10 % with a chance of 80 %.",
    ]


@pytest.mark.parametrize(
    ("needed", "runs", "text"),
    [
        (6, (5, 5), "1 more run each would show a difference of 10 % with a chance of 80 %."),
        (9, (3, 5), "9 runs of each side would show a difference of 10 % with a chance of 80 %."),
        (5, (5, 6), "These runs would have shown a difference of 10 % with a chance of at least 80 %."),
        (None, (5, 5), "Not even 10,000 runs each would show a difference of 10 %, because the runs scatter too much."),
    ],
)
def test_the_number_of_runs_that_would_do(needed, runs, text):
    ratio = Ratio(estimate=1.0, low=0.5, high=2.0, p_value=0.5, method="welch", runs=runs)
    assert more_runs(comparison(ratio, needed=needed).of("energy")) == text


def test_as_much_and_times():
    same = Ratio(estimate=1.0, low=0.9, high=1.1, **WELCH)
    assert "new needed as much time as old to reach" in claim(comparison(same, quantity="time"), "time")
    more = Ratio(estimate=2.5, low=2.2, high=3.0, **WELCH)
    assert "new needs 2.50 times as much CO2e as old to reach" in claim(
        comparison(more, quantity="emissions"), "emissions"
    )


@pytest.mark.parametrize(
    ("runs", "why", "text"),
    [
        ((1, 1), "few", "One run each says nothing of chance. Make at least three runs of each side."),
        ((1, 4), "few", "The single run of new says nothing of chance. Make at least three runs of each side."),
        ((4, 1), "few", "The single run of old says nothing of chance. Make at least three runs of each side."),
        (
            (3, 3),
            "spread",
            (
                "The runs of a side do not differ at all, so nothing tells the part of chance. Give each run a seed of "
                "its own."
            ),
        ),
    ],
)
def test_without_an_interval_the_reason_is_said(runs, why, text):
    found = main_sentences(comparison(Ratio(estimate=0.8, runs=runs, why_none=why)))
    assert found == ["new needed 20 % less energy than old to reach val_acc 0.9.", text]


def test_runs_that_never_reach_it_are_in_no_mean():
    found = comparison(
        first=reached("new", 1.0, missed=[2.0]),
        second=reached("old", 1.0, 2.0, 3.0),
        log_rank=LogRank(0.3, is_sooner=False),
    )
    assert main_sentences(found) == [
        "1 of 2 runs of new and 3 of 3 runs of old reached val_acc 0.9.",
        "No means are compared, because runs that failed would be left out of them.",
        "A run that ended without it counts as never reaching it.",
        "No difference in energy is shown (log-rank test, p = 0.30).",
        "So few runs can never show one.",
    ]
    assert claim(found, "energy") is None
    lone = comparison(first=reached("new", missed=[2.0]), second=reached("old", 1.0, 2.0))
    assert main_sentences(lone) == [
        "0 of 1 run of new and 2 of 2 runs of old reached val_acc 0.9.",
        "The single run of new says nothing of chance. Make at least three runs of each side.",
    ]
    many = reached("new", *range(1, 6), missed=[9.0]), reached("old", *range(1, 6))
    shown = comparison(first=many[0], second=many[1], log_rank=LogRank(0.004, is_sooner=False), medians=(0.3, None))
    assert main_sentences(shown)[-3:] == [
        "Half of the runs of new reached it by 300 Wh.",
        "A run that ended without it counts as never reaching it.",
        "old reaches it more often or for less energy than new (log-rank test, p = 0.004).",
    ]
    unknown = comparison(first=many[0], second=many[1])
    assert "The energy of some runs is not known, so the sides cannot be compared." in main_sentences(unknown)


def test_a_quality_that_no_run_reaches():
    found = comparison(first=reached("new", missed=[1.0]), second=reached("old", missed=[1.0]))
    assert main_sentences(found) == [
        "0 of 1 run of new and 0 of 1 run of old reached val_acc 0.9.",
        "The best value of a run is 0.5000. Name a quality that runs reach, or train longer.",
    ]


def test_unknown_energy_and_sides_without_a_word():
    assert (
        main_sentences(comparison(costs=([1.0], [])))[0]
        == "The energy to reach val_acc 0.9 is unknown or 0 in all runs of old."
    )
    assert len(main_sentences(comparison(quantity="time"), "time")) == 1
    silent = Group("silent", [trained([], name="other", metric_names=("val_loss",))])
    found = comparison(first=silent, second=reached("old", 1.0, missed=[2.0]))
    assert main_sentences(found) == ["No run of silent says anything about val_acc 0.9. Name other runs."]
    assert run_sentences(found)[0] == (
        "The comparison leaves out 1 run of silent with values of other metrics than val_acc (other)."
    )


def test_what_became_of_runs_is_said():
    first = reached("new", 1.0, missed=[2.0] * 7)
    runs = [*first.runs, *reached("killed", missed=[3.0], is_closed=False).runs]
    runs += reached("stopped", missed=[4.0], stop_reason="The budget is spent.").runs
    said = run_sentences(comparison(first=Group("new", runs[5:]), unknown=["old-0"]))
    assert said == [
        (
            "5 runs of new did not reach it (new-5, ended at 2.00 kWh, new-6, ended at 2.00 kWh, new-7, ended at "
            "2.00 kWh, killed-0, killed or still running at 3.00 kWh, stopped-0, stopped by a policy at 4.00 kWh)."
        ),
        "No ratio holds 1 run whose energy, emissions or time is unknown or 0 (old-0).",
    ]


def test_probabilities_are_not_written_as_nothing():
    tiny = Ratio(estimate=0.8, low=0.7, high=0.9, p_value=1e-9, permutation_p=0.1, method="pooled", runs=(3, 3))
    assert method_sentence(comparison(tiny).of("energy")) == (
        "Student's t-test on logarithms, p < 0.001; permutation test, p = 0.10 (never less than 0.10 with so "
        "few runs). It compares geometric means, because methods multiply a cost."
    )
    assert method_sentence(comparison().of("energy")) is None
