"""What groups of runs show at the same energy, with SciPy, in sentences, in JSON and as a picture."""

import json
import random
import re
import warnings

import pytest
from support.quality_curves import ACC, compared, grouped, trained

from green_callbacks.analysis.comparing import Group
from green_callbacks.analysis.comparing.equal_spending import CurveGroup
from green_callbacks.analysis.comparing.value_intervals import difference, mean_of
from green_callbacks.cli.compare.curves_plot import plot
from green_callbacks.cli.compare.same_amount_data import same_amount_data
from green_callbacks.cli.compare.same_amount_text import same_amount_text, sentences
from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Metric

pytest.importorskip("scipy")


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def flat(text):
    return re.sub(r"\s+", " ", text)


class TestIntervals:
    def test_known_figures(self):
        found = difference([5.1, 4.9, 6.2, 5.8], [4.1, 3.9, 5.0])
        assert (found.value, found.low, found.high) == pytest.approx((1.166667, -0.036515, 2.369848), abs=1e-5)
        assert not found.shows
        mean = mean_of([1.0, 2.0, 3.0])
        assert (mean.value, mean.low, mean.high) == pytest.approx((2.0, -0.484138, 4.484138), abs=1e-5)

    def test_pairs_are_compared_within_each_seed(self):
        found = difference([0.5, 0.7, 0.9], [0.49, 0.689, 0.888], is_paired=True)
        assert found.shows
        assert not difference([0.5, 0.7, 0.9], [0.49, 0.689, 0.888]).shows

    def test_pairs_with_equal_changes_tell_nothing_of_chance(self):
        assert difference([0.5, 0.7, 0.9], [0.4, 0.6, 0.8], is_paired=True).why == "equal"

    def test_one_side_without_any_spread_still_has_an_interval(self):
        found = difference([0.5, 0.5, 0.5], [0.6, 0.7, 0.65])
        assert found.shows
        assert found.value == pytest.approx(-0.15)

    @pytest.mark.parametrize("truth", [0.0, 0.02])
    def test_the_interval_covers_the_truth(self, truth):
        chance = random.Random(17)
        covered = 0
        for _ in range(500):
            ours = [chance.gauss(0.9 + truth, 0.01) for _ in range(5)]
            found = difference(ours, [chance.gauss(0.9, 0.02) for _ in range(5)])
            covered += found.low <= truth <= found.high
        assert 0.93 <= covered / 500 <= 0.98


class TestSentences:
    def test_a_method_that_beats_one_row_and_not_the_other(self):
        # The finding that made this table: the gain is a learning rate.
        trick, full = grouped("infobatch", 0.784, 20), grouped("full", 0.852, 40)
        fewer, faster = grouped("fewer", 0.70, 20), grouped("fewer x1.5", 0.802, 20)
        text = flat(same_amount_text(compared([trick, full], fewer, faster)))
        assert "smallest median total of a group" in text
        assert re.search(r"infobatch beats fewer at the same energy, by 0\.\d+ of val_acc \(95 %: ", text)
        assert "infobatch beats fewer x1.5" not in text
        assert "No row of reference" not in text
        assert re.search(r"full is read at 5\d % of its spending, while its learning rate was still to fall", text)
        assert "A run whose total is within 5 % of the amount counts as a whole." in text

    def test_a_row_that_is_better_is_said_plainly(self):
        text = flat(same_amount_text(compared([grouped("trick", 0.7, 20)], grouped("fewer", 0.8, 20))))
        assert "fewer beats trick at the same energy, by 0.1" in text
        assert "This reference pays more than trick." in text

    def test_a_row_that_is_as_good_is_said_plainly(self):
        found = compared([grouped("trick", 0.8, 20)], grouped("fewer", 0.8, 20))
        text = flat(same_amount_text(found))
        assert "trick is not shown to beat fewer. As far as these runs tell, training for less does as well." in text
        assert "5 against 5 runs" in text

    def test_seeds_on_both_sides_are_pairs(self):
        found = compared([grouped("trick", 0.8, 9, seeds=True)], grouped("fewer", 0.7, 9, seeds=True))
        assert "5 pairs with the same seed" in flat(same_amount_text(found))
        assert found.contrasts[0].difference.is_paired

    def test_without_a_reference_nothing_is_shown_to_beat_less_training(self):
        text = flat(same_amount_text(compared([grouped("trick", 0.8, 9), grouped("full", 0.7, 9)])))
        assert "trick beats full" in text
        assert "No row of reference was given, so no group is shown to beat the same training by fewer epochs." in text

    def test_a_loss_is_beaten_downwards(self):
        found = compared([grouped("a", 0.2, 9)], grouped("b", 0.9, 9), metric=Metric("val_acc", "min"), kept="last")
        assert found.contrasts[0].verdict == "beats"

    def test_runs_that_spent_less_are_named_and_not_extrapolated(self):
        short = Group("trick", [*grouped("trick", 0.8, 20).runs, trained([0.9], kwh=0.1, name="killed\x1b[2J")])
        text = flat(same_amount_text(compared([short], grouped("fewer", 0.8, 20), amount=2.0)))
        assert "1 of 6 runs of trick spent less than 2.00 kWh and do not count (killed\\x1b[2J)" in text
        assert 'The rest may flatter trick. All of them count with --at "100 Wh".' in text

    def test_an_amount_that_nobody_spent(self):
        found = compared([grouped("trick", 0.8, 9)], grouped("fewer", 0.8, 9), amount=100.0)
        text = flat(same_amount_text(found))
        assert "5 of 5 runs of trick spent less than 100 kWh" in text
        assert found.contrasts == []
        json.dumps(same_amount_data(found), allow_nan=False)

    def test_one_run_a_side_says_nothing_of_chance(self):
        found = compared([grouped("trick", 0.8, 9, runs=1)], grouped("fewer", 0.7, 9, runs=1))
        assert "One run on a side tells nothing of chance." in flat(same_amount_text(found))

    def test_a_diverged_run_counts(self):
        runs = [*grouped("trick", 0.95, 9).runs[:4], trained([0.1] + [float("nan")] * 9, kwh=0.1, name="nan")]
        found = compared([Group("trick", runs)], grouped("fewer", 0.93, 9))
        assert min(found.groups[0].values) == 0.1
        assert found.contrasts[0].verdict == "open"

    def test_a_run_that_was_killed_near_the_amount_is_named(self):
        runs = [*grouped("trick", 0.95, 9).runs, trained([0.9] * 10, kwh=0.1, name="killed", is_closed=False)]
        text = flat(same_amount_text(compared([Group("trick", runs)], grouped("fewer", 0.93, 9))))
        assert "1 of 6 runs of trick were killed or are still running, and count with what they have (killed)." in text

    def test_a_run_without_any_value_is_named(self):
        runs = [*grouped("trick", 0.95, 9).runs, trained([float("nan")] * 10, kwh=0.1, name="nan")]
        text = flat(same_amount_text(compared([Group("trick", runs)], grouped("fewer", 0.93, 9))))
        assert "1 of 6 runs of trick had no val_acc by then, or no measured energy, and do not count (nan)." in text


@pytest.mark.parametrize("large", [1e155, 1e300, 1.7e308])
def test_values_of_any_size_are_plain_json(large):
    groups = [
        Group(name, [trained([sign * large * share]) for share in (1, 0.5)]) for name, sign in (("a", 1), ("b", -1))
    ]
    found = compared(groups, kept="last")
    json.dumps(same_amount_data(found), allow_nan=False)
    assert same_amount_text(found)


def test_json_holds_every_row_and_leaves_out_the_unknown():
    found = compared([grouped("trick", 0.8, 9)], grouped("fewer", 0.7, 9, runs=1))
    data = json.loads(json.dumps(same_amount_data(found), allow_nan=False))
    trick, fewer = data["groups"]
    assert (data["of"], data["unit"], data["metric"], data["value"]) == ("energy", "kWh", "val_acc", "best")
    assert set(trick["counted"]) == {f"trick-{seed}" for seed in range(5)}
    assert trick["low"] < trick["mean"] < trick["high"]
    assert fewer["is_reference"]
    assert "low" not in fewer
    (row,) = data["differences"]
    assert (row["group"], row["against"], row["no_interval_because"]) == ("trick", "fewer", "few")
    assert data["sentences"] == sentences(found)


class TestPicture:
    def groups(self, axis="energy"):
        named = [grouped("a\x1b[2J $x$ <b>", 0.8, 20), Group("b", [*grouped("b", 0.7, 20).runs, trained([0.6])])]
        return [CurveGroup.of(group, ACC, axis) for group in named]

    @pytest.mark.parametrize("axis", ["energy", "emissions", "time"])
    def test_it_is_drawn(self, tmp_path, axis):
        picture = tmp_path / "curves.svg"
        plot(picture, self.groups(axis), ACC, axis)
        drawn = flat(picture.read_text(encoding="utf-8"))
        assert "a\\x1b[2J $x$ " in drawn
        assert "(5 runs)" in drawn
        assert "Dotted: only some of the runs." in drawn

    def test_a_name_that_begins_with_an_underscore_is_in_the_legend(self, tmp_path):
        plot(tmp_path / "a.svg", [CurveGroup.of(grouped("_old", 0.8, 4), ACC, "energy")], ACC, "energy")
        assert "_old (5 runs)" in (tmp_path / "a.svg").read_text(encoding="utf-8")

    @pytest.mark.parametrize("ending", ["png", "pdf"])
    def test_other_formats(self, tmp_path, ending):
        found = compared([grouped("trick", 0.8, 20)], grouped("fewer", 0.7, 20, runs=1))
        plot(tmp_path / f"a.{ending}", [each.group for each in found.groups], ACC, "energy", found)
        assert (tmp_path / f"a.{ending}").stat().st_size > 5_000

    def test_nothing_to_draw_is_said(self, tmp_path):
        with pytest.raises(ConfigurationError, match=r"No group has a curve of val_acc against energy"):
            plot(tmp_path / "a.png", [CurveGroup("a", [])], ACC, "energy")

    @pytest.mark.parametrize("values", [[0.5], [0.5, 0.5], [0.0, 0.0], [1e300, -1e300], [1e-300, 2e-300]])
    def test_odd_values_are_drawn(self, tmp_path, values):
        groups = [CurveGroup.of(Group("a", [trained(values)]), ACC, "energy", "last")]
        plot(tmp_path / "a.svg", groups, ACC, "energy")
