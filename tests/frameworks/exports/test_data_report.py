"""The counts of a report on the data, against counts that are made one by one."""

import pickle
import subprocess
import sys
from collections import defaultdict
from copy import deepcopy
from itertools import pairwise

import numpy as np
import pytest
from support.child_environment import child_environment
from support.thread_ranks import on_ranks

from green_callbacks import DataReport, EnergyAccountant, EpochRecord, History, Summary
from green_callbacks.data_report import Indexed, find_duplicates
from green_callbacks.data_report.known_energy import KnownEnergy
from green_callbacks.data_report.mislabeled import split
from green_callbacks.data_report.sample_table import SampleTable
from green_callbacks.errors import ConfigurationError

SEED = 3


def one_by_one(visits):
    """Count visits as the definitions say."""
    of = defaultdict(list)
    known_before = 0
    for index, loss, known in visits:
        history = of[index]
        known_before += len(history) >= 3 and all(each[1] for each in history[-3:])
        history.append((loss, known))
    kinds = {"known_at_once": [], "forgotten": [], "never_learned": []}
    for index, history in sorted(of.items()):
        answers = [known for _, known in history]
        forgotten = any(before and not now for before, now in pairwise(answers))
        if True in answers[:2] and not forgotten:
            kinds["known_at_once"].append(index)
        if forgotten:
            kinds["forgotten"].append(index)
        if True not in answers:
            kinds["never_learned"].append(index)
    return known_before, kinds, {index: np.mean([loss for loss, _ in history]) for index, history in of.items()}


@pytest.mark.parametrize("seed", range(10))
def test_counts_are_those_of_the_definitions_in_any_order_and_with_repeats(seed):
    random = np.random.default_rng(seed)
    report, visits = DataReport(), []
    for _ in range(random.integers(1, 150)):
        indices = random.integers(0, 40, random.integers(1, 30))
        losses = np.round(random.exponential(0.8, len(indices)), 3).astype("f4")
        correct = losses < 0.5
        report.observe(indices, losses, correct)
        visits += zip(indices.tolist(), losses.tolist(), correct.tolist(), strict=True)

    totals, lists = report._outcome()
    known_before, kinds, means = one_by_one(visits)
    assert (totals.visits, totals.known_visits) == (len(visits), known_before)
    assert {name: list(lists[name]) for name in kinds} == kinds
    mean_loss = report._book.table.mean_loss()
    assert {index: mean_loss[index] for index in means} == pytest.approx(means, rel=1e-5)


def test_counters_end_at_their_largest_value_and_stay_there():
    table, one = SampleTable(), np.array([0])
    for number in range(66_000):
        known = np.array([number % 2 == 0])
        table.add(one, np.array([2.0], "f4"), known)
    assert table.visits[0] == 65_535
    assert table.forgets()[0] == 63
    assert table.first_known()[0] == 1
    assert table.mean_loss()[0] == pytest.approx(2.0, rel=1e-4)


def test_memory_is_at_most_sixteen_bytes_a_sample_even_if_the_size_is_not_known():
    count = 100_000
    known, unknown = DataReport(), DataReport()
    known.expect(count)
    for start in range(0, count, 1_000):
        for report in (known, unknown):
            report.observe(np.arange(start, start + 1_000), np.ones(1_000, "f4"))
    for report in (known, unknown):
        assert report.totals().samples == count
    assert known.nbytes == 8 * count
    assert unknown.nbytes <= 10 * count
    assert sum(column.nbytes for column in known.state_dict()["columns"].values()) == 8 * count


def groups(wrong, separate):
    random = np.random.default_rng(SEED)
    clean = random.exponential(0.2, 2_000)
    return np.concatenate([clean, random.normal(separate, 0.5, wrong)]).astype("f4")


@pytest.mark.parametrize(("wrong", "separate"), [(100, 3.0), (400, 3.0), (900, 3.0)])
def test_two_groups_of_losses_are_told_apart(wrong, separate):
    found = split(groups(wrong, separate))
    assert found.has_wrong_labels(chance=2.3)
    assert not found.has_wrong_labels(chance=5.0), "no worse than a network that has not learned"
    assert found.share == pytest.approx(wrong / (2_000 + wrong), rel=0.1)


@pytest.mark.parametrize("draw", ["normal", "exponential", "lognormal", "random"])
def test_one_group_is_not_split(draw):
    losses = np.abs(getattr(np.random.default_rng(SEED), draw)(size=5_000)).astype("f4")
    for mean in (0.1, 0.5, 1.0):
        assert not split(losses / losses.mean() * mean).has_wrong_labels(chance=2.3)


def test_equal_losses_and_none_are_not_split():
    assert split(np.ones(10, "f4")) is None
    assert split(np.ones(0, "f4")) is None


def test_most_samples_are_never_called_mislabeled():
    report = DataReport()
    losses = np.array([0.1] * 20 + [3.0] * 80, "f4")
    for _ in range(6):
        report.observe(np.arange(100), losses)
    assert report.totals().probably_mislabeled == 0


def test_before_five_visits_it_is_too_early_to_say():
    report = DataReport()
    losses = np.array([0.1] * 90 + [3.0] * 10, "f4")
    for visit in range(1, 8):
        report.observe(np.arange(100), losses)
        assert report.totals().probably_mislabeled == (None if visit < 5 else 10)


def test_a_regression_has_no_known_samples():
    report = DataReport(known_below=None)
    for _ in range(6):
        report.observe(np.arange(3), np.array([0.1, 0.2, 9.0]))
    totals = report.totals()
    assert (totals.visits, totals.known_by, totals.known_at_once, totals.probably_mislabeled) == (18, None, None, None)
    assert report.sentences == ()


def test_negative_losses_are_no_cross_entropy_and_that_is_said():
    report = DataReport()
    report.observe([0, 1], [-3.0, 0.5])
    totals = report.totals()
    assert totals.known_by is None
    assert totals.known_at_once is None
    assert "Some losses are negative" in totals.notes[0]


def test_arrays_are_equal_by_kind_shape_and_bytes():
    image = np.arange(6.0)
    data = [(image, 0), (image.copy(), 1), (image.reshape(2, 3), 0), (image.astype("f4"), 0), (-image, 0)]
    assert find_duplicates(data).groups == ((0, 1),)
    assert find_duplicates([{"x": image, "y": 1}, {"x": image, "y": 1}]).conflicting == ()
    assert find_duplicates([np.array(["a", None], object)] * 2).groups == ((0, 1),)


def test_an_array_may_hold_what_has_no_bytes():
    with pytest.raises(ConfigurationError, match="are not known"):
        find_duplicates([np.array([object()])])


class Flipped:
    """Changes each second sample at random."""

    def __len__(self):
        return 100

    def __getitem__(self, position):
        return np.array([position, np.random.default_rng().integers(2)]), 0


def test_duplicates_are_found_in_no_data_that_change():
    for _ in range(20):
        with pytest.raises(ConfigurationError, match="another sample"):
            find_duplicates(Flipped())


def test_masks_and_palettes_are_part_of_a_sample():
    class Image:
        mode, size = "P", (1, 1)

        def __init__(self, color):
            self.color = color

        def tobytes(self):
            return b"0"

        def getpalette(self):
            return [self.color]

    assert find_duplicates([(Image(1), 0), (Image(2), 0), (Image(1), 0)]).groups == ((0, 2),)
    masked = [np.ma.array([1, 2], mask=[0, last]) for last in (0, 1, 0)]
    assert find_duplicates(masked).groups == ((0, 2),)


class Sparse:
    """A matrix that NumPy takes for one object."""

    shape, dtype = (3, 3), np.dtype("f8")


def test_a_sparse_matrix_is_refused():
    with pytest.raises(ConfigurationError, match="bytes of a Sparse are not known"):
        find_duplicates([Sparse()])


def test_values_that_a_loop_changes_later_were_copied():
    report = DataReport()
    index, losses = np.array([0, 1]), np.array([0.1, 3.0], "f4")
    report.observe(index, losses)
    index += 5
    losses *= 0
    totals = report.totals()
    assert (totals.samples, totals.never_learned) == (2, 1)


@pytest.mark.parametrize("answers", [[0.7, 0.2], ["yes", "no"], [None, True], [float("nan"), 1.0]])
def test_answers_that_are_neither_true_nor_false_are_said(answers):
    report = DataReport()
    report.observe([0, 1], [0.1, 0.2], answers)
    assert report.totals().visits == 0
    assert "neither true nor false" in report.totals().notes[0]


def test_answers_may_be_zeros_and_ones_and_an_index_a_column():
    report = DataReport()
    report.observe([[0], [1]], [[0.1], [0.2]], [1.0, 0.0])
    report.observe([], [])
    totals = report.totals()
    assert (totals.visits, totals.never_learned, totals.notes) == (2, 1, ())


def test_a_checkpoint_that_was_saved_before_a_gather_is_said_where_it_is_resumed():
    def one(ranks):
        report = DataReport()
        report.share(ranks)
        report.observe([0, 1], [0.1, 2.0])
        early = report.state_dict()
        report.gather(ranks)
        return early, report.state_dict()

    early, late = on_ranks(2, one)[0]
    notes = {}
    for name, state in (("early", early), ("late", late)):
        resumed = DataReport()
        resumed.load_state_dict(state)
        notes[name] = resumed.totals().notes
    assert "lacks the visits of that epoch until then" in notes["early"][0]
    assert notes["late"] == ()


def test_visits_that_no_gather_followed_are_said():
    report = DataReport()
    report.share(TwoRanks())
    report.observe([0, 1], [0.1, 0.2])
    report.finish()
    assert "gather() did not follow" in report.totals().notes[0]


class TwoRanks:
    """The first of two processes."""

    rank, size = 0, 2


@pytest.mark.parametrize("position", [[1, 2], slice(2), np.array([1, 2])])
def test_an_indexed_set_takes_one_position_at_a_time(position):
    with pytest.raises(ConfigurationError, match="one position at a time"):
        Indexed(range(5))[position]


@pytest.mark.parametrize("path", ["", 3, b"report", "s3://bucket/report.json", "a/"])
def test_a_path_that_cannot_work_is_refused(path):
    with pytest.raises(ConfigurationError, match="path="):
        DataReport(path=path)


def test_the_file_lies_where_it_was_named_and_what_is_there_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("mine.csv").write_text("a,b")
    tmp_path.joinpath("linked.json").symlink_to("real.json")
    reports = [DataReport(path=name) for name in ("report.json", "mine.csv", "linked.json")]
    monkeypatch.chdir(tmp_path.parent)
    for report in reports:
        report.observe([0], [0.1])
        report.finish()
    assert reports[0].write() == tmp_path / "report.json"
    assert tmp_path.joinpath("mine.csv").read_text() == "a,b"
    assert "holds something else" in reports[1].totals().notes[0]
    assert tmp_path.joinpath("linked.json").is_symlink()
    assert "visits" in tmp_path.joinpath("real.json").read_text()


def test_a_picture_shows_the_kinds(tmp_path):
    report = DataReport()
    with pytest.raises(ConfigurationError, match="no losses to draw"):
        report.plot(tmp_path / "samples.png")
    for _ in range(6):
        report.observe(np.arange(100), np.array([0.1] * 90 + [3.0] * 10))
    report.plot(tmp_path / "samples.svg")
    drawn = (tmp_path / "samples.svg").read_text()
    assert "<svg" in drawn
    assert "mathdefault" not in drawn
    with pytest.raises(ConfigurationError, match=r"ends in \.png"):
        report.plot(tmp_path / "samples.nonsense")
    with pytest.raises(ConfigurationError, match="existing folder"):
        report.plot(tmp_path / "missing" / "samples.png")


def test_a_copy_is_a_new_report_with_the_same_options():
    report = DataReport(known_below=1.0)
    report.observe([0], [0.9])
    for copy in (deepcopy(report), pickle.loads(pickle.dumps(report))):
        assert copy.totals().visits == 0
        copy.observe([0], [0.9])
        assert copy.totals().known_at_once == 1
    assert report.totals().visits == 1


@pytest.mark.parametrize("options", [{"accountant": 3}, {"known_below": "low"}, {"known_below": float("nan")}])
def test_options_that_cannot_work_are_refused(options):
    with pytest.raises(ConfigurationError):
        DataReport(**options)


@pytest.mark.parametrize("change", [{"version": 9}, {"columns": {}}, {"counts": None}])
def test_a_damaged_state_is_refused(change):
    report = DataReport()
    report.observe([0], [1.0])
    with pytest.raises(ConfigurationError, match="state of the report"):
        DataReport().load_state_dict({**report.state_dict(), **change})


def test_a_loop_that_is_resumed_by_its_ledger_says_that_it_begins_anew(tmp_path):
    ledger = tmp_path / "run.jsonl"
    for epochs in (2, 3):
        with EnergyAccountant(sources=[], sinks=[], ledger=ledger) as accountant, DataReport(accountant) as report:
            for _ in accountant.epochs(epochs):
                report.observe([0, 1], [0.1, 3.0])
    assert report.totals().visits == 2
    assert "of an earlier process or another DataReport is replaced" in report.totals().notes[0]


def test_the_second_report_of_a_run_says_that_it_replaces_the_first(tmp_path):
    with EnergyAccountant(sources=[], sinks=[], ledger=tmp_path / "run.jsonl") as accountant:
        first, second = DataReport(accountant), DataReport(accountant)
        for report in (first, second):
            report.observe([0], [0.1])
    assert first.totals().notes == ()
    assert "pass path= to one of them" in second.totals().notes[0]


def test_the_summary_of_a_loop_quotes_a_report_that_nothing_finished(tmp_path):
    said: list[str] = []
    sinks = [Summary(said.append)]
    with EnergyAccountant(sources=[], sinks=sinks, ledger=tmp_path / "run.jsonl") as accountant:
        report = DataReport(accountant)
        for _ in accountant.epochs(2):
            report.observe([0, 1], [0.1, 3.0])
    assert "Of 2 samples, 1 was known at once" in " ".join("".join(said).split())
    assert (tmp_path / "run.data.json").exists()


def test_a_report_that_fails_at_the_close_fails_no_training(tmp_path, caplog):
    with EnergyAccountant(sources=[], sinks=[], ledger=tmp_path / "run.jsonl") as accountant:
        report = DataReport(accountant)
        for _ in accountant.epochs(1):
            report.observe([0], [0.1])
        report.finish = None  # the close finds no method
    assert not accountant.is_live
    assert "A last call before the close of the run failed" in caplog.text


LOOP_WITHOUT_CLOSE = """
from green_callbacks import DataReport, EnergyAccountant, Summary
accountant = EnergyAccountant(sources=[], sinks=[Summary(print)], ledger="run.jsonl")
report = DataReport(accountant)
for _ in accountant.epochs(2):
    report.observe([0, 1], [0.1, 3.0])
"""


def test_a_loop_that_closes_nothing_has_its_report_at_exit(tmp_path):
    command = [sys.executable, "-c", LOOP_WITHOUT_CLOSE]
    done = subprocess.run(command, cwd=tmp_path, env=child_environment(), capture_output=True, text=True, check=True)
    assert "Of 2 samples, 1 was known at once" in " ".join(done.stdout.split())
    assert (tmp_path / "run.data.json").exists()


def test_a_report_that_outlives_its_run_says_so(tmp_path, caplog):
    with EnergyAccountant(sources=[], sinks=[], ledger=tmp_path / "run.jsonl") as accountant:
        report = DataReport(accountant)
        for _ in accountant.epochs(1):
            report.observe([0], [0.1])
    assert "has ended" not in caplog.text
    report.observe([0], [0.1])
    assert "Make a DataReport for each run." in caplog.text


def test_energy_of_epochs_in_parts_and_without_a_measurement():
    history, energy = History(), KnownEnergy()
    energy.begin(history)
    for closes in (False, True):
        history.append(EpochRecord.scripted(epoch=0, emissions_kg=0.5)._replace(closes_epoch=closes))
        assert energy.is_over(history) == closes
    energy.settle(history, 100, 50)
    assert energy.training[0] == pytest.approx(3.6e6)
    assert energy.known[0] == pytest.approx(1.8e6)
    energy.begin(history)
    history.append(EpochRecord.scripted(epoch=1)._replace(devices={}))
    assert energy.is_over(history)
    energy.settle(history, 200, 100)
    assert not energy.is_whole


def test_visits_without_an_index_leave_their_share_of_the_energy_to_others():
    history, energy = History(), KnownEnergy()
    energy.begin(history)
    history.append(EpochRecord.scripted(epoch=0, emissions_kg=1.0)._replace(samples=200))
    energy.settle(history, 100, 50)
    assert energy.known[0] == pytest.approx(3.6e6 * 50 / 200)


def test_visits_of_several_ranks_come_together():
    def rank(ranks):
        report = DataReport()
        report.share(ranks)
        for epoch in range(6):
            indices = np.random.default_rng(epoch).permutation(10)[ranks.rank :: 2]
            report.observe(np.append(indices, 11), np.append((indices == 0) * 3.0 + 0.1, 0.1))
            report.gather(ranks)
        report.finish()
        return report.totals()

    alone = DataReport()
    alone.share()
    alone.observe([0], [0.1])
    alone.gather()
    assert alone.totals().visits == 1
    first, second = on_ranks(2, rank)
    assert (first.samples, first.visits, first.known_at_once, first.never_learned) == (11, 72, 10, 1)
    assert second.visits == 0
