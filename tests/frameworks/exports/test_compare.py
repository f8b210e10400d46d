"""``green-callbacks compare`` with SciPy: intervals, tests, gates, and groups that leave nothing to compute."""

import doctest
import importlib
import json
import math
import random
import re
import shutil
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.hostile_runs import write_hostile_runs
from support.reaching_runs import TARGET, reached, write_group, write_run

from green_callbacks.analysis.comparing.equal_quality import compare_groups
from green_callbacks.analysis.comparing.equal_quality.censored import Way, log_rank, median_cost
from green_callbacks.analysis.comparing.equal_quality.power import runs_needed
from green_callbacks.analysis.comparing.equal_quality.ratio import permutation_p, ratio_of
from green_callbacks.analysis.comparing.equal_quality.sentences import main_sentences
from green_callbacks.cli import main
from green_callbacks.errors import ConfigurationError

pytest.importorskip("scipy")
EQUAL_QUALITY = "green_callbacks.analysis.comparing.equal_quality"
EVIL = "\x1b[31mforged\r\n\u202e\x00\x9b<b>$x$"
COSTS = st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=6)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def command(capsys):
    """Run the command; returns its exit status, standard output and standard error."""

    def run(*argv):
        status = main(["compare", *map(str, argv)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Three folders of five runs: old, one that needs 18 % less, and one that needs as much."""
    root = tmp_path_factory.mktemp("compare")
    write_group(root / "old", seed=1)
    write_group(root / "new", seed=2, factor=0.82)
    write_group(root / "same", seed=3)
    return root


def flat(text):
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("name", ["censored", "comparison", "power", "ratio"])
def test_the_examples_run(name):
    module = importlib.import_module(f"{EQUAL_QUALITY}.{name}")
    assert doctest.testmod(module).attempted
    assert not doctest.testmod(module).failed


class TestStatistics:
    def test_known_figures(self):
        """By R: ``t.test(log(a), log(b), var.equal=TRUE)`` and ``t.test(log(a), log(b))``."""
        first, second = [4.0, 4.2, 4.1], [5.0, 5.3, 5.1]
        ratio = ratio_of(first, second)
        assert (ratio.estimate, ratio.low, ratio.high) == pytest.approx((0.798777, 0.751116, 0.849463), abs=1e-6)
        assert (ratio.method, ratio.is_shown) == ("pooled", True)

    def test_the_method_follows_from_counts_and_spreads(self):
        assert ratio_of([1.0, 1.1, 1.2], [1.0, 1.1, 1.3]).method == "pooled"
        assert ratio_of([1.0, 1.01, 1.02], [1.0, 2.0, 3.0]).method == "welch"
        assert ratio_of([1.0, 1.1, 1.2], [1.0, 1.1, 1.3], paired=True).method == "paired"

    def test_pairs_show_what_their_sides_do_not(self):
        first, second = [1.0, 2.0, 4.0], [1.1, 2.22, 4.4]
        assert ratio_of(first, second, paired=True).is_shown
        assert not ratio_of(first, second).is_shown

    def test_one_side_without_any_spread_still_has_an_interval(self):
        ratio = ratio_of([1.0, 1.0, 1.0], [2.0, 2.1, 1.9])
        assert (ratio.method, ratio.is_shown) == ("welch", True)

    @pytest.mark.parametrize(
        ("first", "second", "why"),
        [
            ([1.0], [2.0], "few"),
            ([1.0], [2.0, 3.0], "few"),
            ([1.0, 1.0], [2.0, 2.0], "spread"),
            ([1.0, 1.0 + 1e-12], [2.0, 2.0], "spread"),
        ],
    )
    def test_nothing_is_computed_from_nothing(self, first, second, why):
        ratio = ratio_of(first, second)
        assert (ratio.low, ratio.high, ratio.p_value, ratio.why_none, ratio.is_shown) == (None, None, None, why, False)

    def test_pairs_that_all_change_alike_tell_nothing_of_chance(self):
        assert ratio_of([1.0, 2.0], [2.0, 4.0], paired=True).why_none == "spread"

    @settings(max_examples=60, deadline=None)
    @given(COSTS, COSTS)
    def test_any_costs_have_a_ratio_and_a_fitting_interval(self, first, second):
        ratio = ratio_of(first, second)
        assert ratio.estimate > 0
        if ratio.low is not None:
            assert ratio.low <= ratio.estimate <= ratio.high or math.isinf(ratio.high)
            assert 0 <= ratio.p_value <= 1
        swapped = ratio_of(second, first)
        assert swapped.estimate == pytest.approx(1 / ratio.estimate)
        assert swapped.is_shown == ratio.is_shown

    def test_the_interval_covers_the_truth_and_calls_none_a_difference(self):
        chance, covered, shown = random.Random(11), 0, 0
        for _ in range(500):
            first, second = ([factor * chance.lognormvariate(0, 0.2) for _ in range(5)] for factor in (0.82, 1.0))
            ratio = ratio_of(first, second)
            covered += ratio.low <= 0.82 <= ratio.high
            shown += ratio_of([cost / 0.82 for cost in first], second).is_shown
        assert 0.93 <= covered / 500 <= 0.97
        assert shown / 500 <= 0.06

    def test_permutations_are_exact_for_few_runs(self):
        assert permutation_p([1.0, 1.1, 1.2], [2.0, 2.1, 2.2]) == pytest.approx(0.1)
        assert permutation_p([1.0, 1.1, 1.2, 1.3], [2.0, 2.1, 2.2, 2.4], paired=True) == pytest.approx(0.125)
        many = [1.0 + at / 100 for at in range(20)], [2.0 + at / 100 for at in range(20)]
        assert permutation_p(*many) < 0.001

    def test_the_needed_runs_have_a_power_of_four_fifths(self):
        first, second = [0.9, 1.0, 1.1, 1.05], [0.95, 1.0, 1.12, 1.0]
        needed = runs_needed(first, second, 0.1)
        spread = math.sqrt(sum(self._variance(side) for side in (first, second)) / 2)
        chance, shown = random.Random(5), 0
        for _ in range(400):
            sides = ([factor * chance.lognormvariate(0, spread) for _ in range(needed)] for factor in (1.1, 1.0))
            shown += ratio_of(*sides).is_shown
        assert 0.74 <= shown / 400 <= 0.88

    @staticmethod
    def _variance(costs):
        logs = [math.log(cost) for cost in costs]
        mean = sum(logs) / len(logs)
        return sum((each - mean) ** 2 for each in logs) / (len(logs) - 1)

    def test_a_tiny_difference_needs_more_runs_than_anybody_makes(self):
        assert runs_needed([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], 1e-4) is None
        assert runs_needed([1.0, 1.0001], [1.0, 1.0], 0.1) == 2

    def test_runs_that_never_reach_it_count_as_still_on_their_way(self):
        fast, slow = [Way(1.0 + at, reached=True) for at in range(4)], [Way(9.0 + at, reached=False) for at in range(4)]
        assert log_rank(fast, slow).is_shown
        early = [Way(0.5 + at / 10, reached=False) for at in range(4)]  # stopped before any run reached it
        assert log_rank(fast, early).p_value == pytest.approx(1.0)
        assert log_rank(early, slow) is None
        assert log_rank([], slow) is None
        assert (median_cost(fast), median_cost(slow), median_cost([])) == (2.0, None, None)
        assert median_cost([*fast[:2], *early[:2]]) == 1.0  # of the two that were still on their way
        assert log_rank(fast[:1], slow) is None


class TestGroups:
    def test_a_known_difference(self):
        found = compare_groups(reached("new", 8.0, 8.2, 8.1), reached("old", 10.0, 10.3, 10.1), TARGET)
        assert main_sentences(found)[0].startswith("new needs 20 % less energy than old to reach val_acc 0.9 (95 %: ")
        assert found.of("time").ratio.estimate == pytest.approx(found.of("energy").ratio.estimate)

    def test_runs_of_the_same_seeds_are_pairs_whatever_their_order(self):
        first, second = reached("new", 1.0, 2.0, 4.0, seeds=[1, 2, 3]), reached("old", 4.4, 1.1, 2.22, seeds=[3, 1, 2])
        found = compare_groups(first, second, TARGET)
        assert found.is_paired
        assert found.of("energy").ratio.runs == (3, 3)
        assert main_sentences(found)[0].endswith("; 3 pairs of runs).")

    @pytest.mark.parametrize("seeds", [[1, 2, 4], [1, 1, 2]])
    def test_other_seeds_or_repeated_ones_are_no_pairs(self, seeds):
        found = compare_groups(reached("a", 1, 2, 3, seeds=[1, 2, 3]), reached("b", 1, 2, 3, seeds=seeds), TARGET)
        assert not found.is_paired

    def test_a_pair_that_misses_a_run_is_in_no_mean(self):
        first = reached("a", 1.0, 2.0, missed=[3.0], seeds=[1, 2, 3])
        found = compare_groups(first, reached("b", 1.0, 2.0, 3.0, seeds=[1, 2, 3]), TARGET)
        assert (found.is_paired, found.of("energy").ratio) == (False, None)
        assert 0 < found.of("energy").log_rank.p_value <= 1

    def test_a_run_on_both_sides_is_refused(self):
        with pytest.raises(ConfigurationError, match=r"Run a-0 is on both sides\."):
            compare_groups(reached("a", 1.0), reached("a", 2.0), TARGET)

    def test_energy_that_is_not_known_or_nothing_stands_in_no_ratio(self):
        second = reached("old", 1.0, 1.1, 1.2)
        found = compare_groups(reached("new", 1.0, 0.0, 1.1), second, TARGET)
        assert found.of("energy").unknown == ["new-1"]
        assert found.of("energy").ratio.runs == (2, 3)
        found = compare_groups(reached("new", 1.0, 1.1, kwh=None), second, TARGET)
        assert found.of("energy").ratio is None
        assert found.of("time").ratio.runs == (2, 3)
        assert main_sentences(found) == [
            "The energy to reach val_acc 0.9 is unknown or 0 in all runs of new.",
            "Name other runs, or compare with --of time.",
        ]

    @settings(max_examples=25, deadline=None)
    @given(
        st.lists(st.tuples(st.floats(0, 1e300), st.booleans()), min_size=1, max_size=3),
        st.lists(st.tuples(st.floats(0, 1e300), st.booleans()), min_size=1, max_size=3),
    )
    def test_any_groups_have_sentences(self, first, second):
        sides = (
            reached(name, *(cost for cost, ok in runs if ok), missed=[cost for cost, ok in runs if not ok])
            for name, runs in (("a", first), ("b", second))
        )
        found = compare_groups(*sides, TARGET)
        for quantity in ("energy", "emissions", "time"):
            said = main_sentences(found, quantity)
            assert said
            assert all(re.fullmatch(r"[^ ].*\.", sentence) and "nan" not in sentence for sentence in said)


class TestCommand:
    def test_a_difference_with_its_interval_and_method(self, command, folders):
        status, out, err = command(folders / "new", "--against", folders / "old", "--reach", "val_acc=0.88")
        text = flat(out)
        assert (status, err) == (0, "")
        claim = r"new needs (\d+) % less energy than old to reach val_acc 0\.88"
        found = re.search(claim + r" \(95 %: (\d+) to (\d+) %; 5 against 5 runs\)", text)
        assert int(found[2]) < 18 < int(found[3])
        assert "Student's t-test on logarithms, p < 0.001; permutation test, p = 0.008." in text
        assert re.search(r"new +5 +5 +6\.0 +\d+\.\d Wh +\d+\.\d g +6 min 0 s", out)
        assert "new needed as much time as old" in text

    def test_no_difference_says_how_many_runs_would_show_one(self, command, folders):
        out = flat(command(folders / "same", "--against", folders / "old", "--reach", "val_acc=0.88")[1])
        assert "No difference in energy is shown. same needed" in out
        assert re.search(r"(more runs each would show|would have shown) a difference of 10 %", out)

    def test_the_gate_is_one_line_and_a_status(self, command, folders):
        old = ("--against", folders / "old", "--reach", "val_acc=0.88", "--gate")
        status, out, err = command(folders / "new", *old, "+5 %")
        assert (status, err, out.count("\n")) == (0, "", 1)
        assert out.startswith("The gate of +5 % passed. new needs ")
        assert command(folders / "new", *old, "-10%")[0] == 0
        status, out, _ = command(folders / "new", *old, "-40 %")
        assert (status, out[:27]) == (1, "The gate of -40 % failed. n")
        status, out, _ = command(folders / "same", *old, "0")
        assert (status, out[:31]) == (3, "The gate of +0 % is undecided. ")

    def test_what_an_undecided_gate_does_is_chosen(self, command, folders):
        gate = ("--against", folders / "old", "--reach", "val_acc=0.88", "--gate", "0", "--undecided")
        status, out, _ = command(folders / "same", *gate, "pass")
        assert (status, out[:50]) == (0, "The gate of +0 % is undecided and counts as passed")
        status, out, _ = command(folders / "same", *gate, "estimate")
        assert f"counts as {'failed' if status else 'passed'}." in out
        assert (" more energy " in out) == bool(status)

    def test_a_single_run_decides_no_gate(self, command, folders):
        runs = (
            folders / "new" / "run-0.jsonl",
            "--against",
            folders / "old" / "run-0.jsonl",
            "--reach",
            "val_acc=0.88",
        )
        status, out, _ = command(*runs, "--gate", "+5 %")
        assert status == 3
        assert "One run each says nothing of chance." in out
        assert command(*runs, "--gate", "+5 %", "--undecided", "estimate")[0] == 0

    def test_a_side_that_reaches_it_less_often_never_passes(self, command, folders, tmp_path):
        write_run(tmp_path / "short" / "a.jsonl", epochs=2)
        write_run(tmp_path / "short" / "b.jsonl")
        gate = (tmp_path / "short", "--against", folders / "old", "--reach", "val_acc=0.88", "--gate", "+5 %")
        status, out, err = command(*gate)
        assert status == 3
        assert "1 of 2 runs of short and 5 of 5 runs of old reached val_acc 0.88." in out
        assert "A run that ended without it counts as never reaching it." in out
        assert "1 run of short did not reach it (" in err
        assert command(*gate, "--undecided", "pass")[0] == 1
        assert command(*gate, "--undecided", "estimate")[0] == 1

    def test_json_holds_every_run_and_figure(self, command, folders, tmp_path):
        write_run(tmp_path / "some" / "a.jsonl", epochs=2, metrics=lambda epoch: {"val_acc": math.nan})
        write_run(tmp_path / "some" / "b.jsonl")
        write_run(tmp_path / "some" / "c.jsonl", metrics=lambda epoch: {"loss": 1.0})
        status, out, _ = command(
            tmp_path / "some", "--against", folders / "old", "--reach", "val_acc=0.88", "--format", "json"
        )
        found = json.loads(out)
        some, old = found["sides"]
        assert (status, found["reach"]) == (0, {"metric": "val_acc", "mode": "max", "value": 0.88})
        assert [len(some[fate]) for fate in ("reached", "missed", "left_out")] == [1, 1, 1]
        assert some["missed"][0]["last_value"] is None
        assert old["reached"][0]["energy_kwh"] == pytest.approx(0.03, rel=0.2)
        assert found["quantities"]["energy"]["ratio"] is None
        assert 0 < found["quantities"]["energy"]["log_rank"]["p_value"] <= 1
        assert found["quantities"]["energy"]["medians"][1] == pytest.approx(0.03, rel=0.2)
        out = command(
            *(folders / "new", "--against", folders / "old", "--reach", "val_acc=0.88"),
            "--gate",
            "5",
            "--format",
            "json",
        )[1]
        found = json.loads(out)
        assert found["quantities"]["energy"]["ratio"]["low"] < 0.82 < found["quantities"]["energy"]["ratio"]["high"]
        assert (found["gate"]["outcome"], found["gate"]["status"], found["gate"]["limit"]) == ("within", 0, 0.05)

    def test_labels_choose_the_sides_and_seeds_make_pairs(self, command, tmp_path):
        write_group(tmp_path / "runs" / "1", seed=1, labels={"method": "old"})
        write_group(tmp_path / "runs" / "2", seed=2, factor=0.82, labels={"method": "new"})
        sides = ("method=new", "--against", tmp_path / "runs", "method=old", "--reach", "val_acc=0.88")
        status, out, _ = command(*sides)
        assert status == 0
        assert "method=new needs" in flat(out)
        assert "; 5 pairs of runs)" in flat(out)
        assert "Labels differ" not in out

    def test_the_same_emissions_at_another_pue_are_explained(self, command, folders, tmp_path):
        write_group(tmp_path / "pue", seed=4, pue=1.5)
        out = flat(command(tmp_path / "pue", "--against", folders / "old", "--reach", "val_acc=0.88")[1])
        assert "The PUE differs (1.50 against 1.00). It changes only the emissions." in out
        gate = ("--gate", "+20 %", "--of", "energy")
        status, out, err = command(tmp_path / "pue", "--against", folders / "old", "--reach", "val_acc=0.88", *gate)
        assert status == 0
        assert out.endswith(" The notes name 1 other thing to know of the sides.\n")
        assert err.startswith("The PUE differs")

    def test_no_name_in_a_ledger_reaches_the_terminal_as_it_is(self, command, tmp_path):
        texts = [EVIL, f"other{EVIL}"]
        paths = [write_hostile_runs(tmp_path / str(at), [text])[0] for at, text in enumerate(texts)]
        for path in paths:  # both have the same metric, besides their own
            path.write_bytes(path.read_bytes().replace(b'"metrics":{', b'"metrics":{"val_acc":0.9,'))
        renamed = paths[1].read_bytes().replace(b"hostile-0", b"hostile-1")
        paths[1].write_bytes(renamed)
        for more in ([], ["--gate", "5"], ["--format", "json"]):
            status, out, err = command(paths[0], "--against", paths[1], "--reach", "val_acc=0.5", *more)
            assert status in {0, 3}
            assert all(each.isprintable() or each == "\n" for each in out + err)
        assert "forged" in out

    def test_copies_of_a_run_count_once_and_never_on_both_sides(self, command, folders, tmp_path):
        shutil.copytree(folders / "old", tmp_path / "copy")
        status, _, err = command(tmp_path / "copy", "--against", folders / "old", "--reach", "val_acc=0.88")
        assert status == 2
        assert "is on both sides" in err

    def test_a_metric_without_a_direction_asks_for_it(self, command, tmp_path):
        path = write_run(tmp_path / "a.jsonl", metrics=lambda epoch: {"odd": epoch})
        other = write_run(tmp_path / "b.jsonl", metrics=lambda epoch: {"odd": epoch})
        status, _, err = command(path, "--against", other, "--reach", "odd=5")
        assert (status, "Add --mode max or --mode min." in err) == (2, True)
        status, out, _ = command(path, "--against", other, "--reach", "odd=5", "--mode", "max", "--of", "time")
        assert status == 0
        assert "a needed as much time as b to reach odd 5. One run each says nothing of chance." in flat(out)
