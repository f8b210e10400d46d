import logging
import os
import re
from pathlib import Path

import pytest
from support.runs import KG_PER_JOULE, WATTS, ListSink, scripted, train

from green_callbacks import MarginalGain, read_ledger
from green_callbacks._frameworks.common.pareto_checkpoints import FrontFiles
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Checkpoints

SCORES = (0.1, 0.5, 0.4, 0.8, 0.85, 0.86, 0.87, 0.88)
EPOCH_KG = 10.0 * WATTS * KG_PER_JOULE


class Disk:
    """Saves by touching files; may be full."""

    def __init__(self, folder):
        self.folder, self.is_full, self.removed = folder, False, []

    def save(self, path):
        if not self.is_full:
            self.folder.joinpath(path).touch()
        return not self.is_full


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path)


def keep_files(files, accountant, disk):
    """What an adapter does at the end of an epoch; return the path that was saved."""
    point = files.due(accountant)
    if point is None:
        return None
    path = next(files.paths(disk.folder, files.name(point), ".ckpt"))
    removed = files.add(accountant, path, lambda: disk.save(path))
    disk.removed += removed
    return path


def run(files, disk, scores=SCORES, metric="val_acc", **options):
    accountant, clock = scripted(**options)
    accountant.start()
    files.begin(accountant)
    for epoch in range(len(scores)):
        train(accountant, clock, [epoch], metrics=lambda at: {metric: scores[at]})
        keep_files(files, accountant, disk)
    return accountant


def epochs_of(files, accountant):
    return [point.epoch for point in files.points(accountant).values()]


def test_files_are_noted_in_the_account_its_state_and_its_ledger(disk, tmp_path):
    files, ledger = FrontFiles("val_acc", "auto", 3), tmp_path / "run.jsonl"
    accountant = run(files, disk, ledger=ledger)
    accountant.close()
    assert epochs_of(files, accountant) == [1, 3, 7]
    assert sorted(disk.removed) == sorted(
        str(path) for path in tmp_path.glob("*.ckpt") if str(path) not in files.points(accountant)
    )
    assert dict(accountant.checkpoints["val_acc"].rows) == {
        path: point.row for path, point in files.points(accountant).items()
    }
    assert read_ledger(ledger).checkpoints == accountant.checkpoints
    from_state, _ = scripted()
    from_state.load_state_dict(accountant.state_dict() | {"ledger": None})
    from_ledger, _ = scripted(ledger=ledger)
    assert from_state.checkpoints == from_ledger.checkpoints == accountant.checkpoints


def test_a_state_of_an_earlier_version_knows_no_files():
    accountant, _ = scripted()
    state = accountant.state_dict()
    del state["checkpoints"]
    other, _ = scripted()
    other.load_state_dict(state)
    assert other.checkpoints == {}


def test_nothing_is_due_but_at_a_new_best_that_an_epoch_has_just_ended_with(disk):
    files = FrontFiles("val_acc", "max", 5)
    accountant, clock = scripted()
    assert files.due(accountant) is None
    accountant.start()
    assert files.due(accountant) is None
    train(accountant, clock, [0], metrics=lambda _: {"val_acc": 0.5}, between=1.0)
    assert files.due(accountant).epoch == 0
    train(accountant, clock, [1], metrics=lambda _: {"val_acc": 0.5})
    assert files.due(accountant) is None
    train(accountant, clock, [2], metrics=lambda _: {"val_acc": float("nan")})
    assert files.due(accountant) is None
    train(accountant, clock, [3])
    assert files.due(accountant) is None
    accountant.observe({"val_acc": 0.9})
    accountant.close()
    assert files.due(accountant) is None


def test_a_file_is_noted_before_it_is_saved_and_no_more_if_it_was_not(disk):
    files = FrontFiles("val_acc", "max", 2)
    accountant = run(files, disk, (0.5, 0.6))
    before = dict(accountant.checkpoints["val_acc"].rows)
    train(accountant, accountant._settings.clock, [2], metrics=lambda _: {"val_acc": 0.7})
    seen = []

    def save():
        seen.append(dict(accountant.checkpoints["val_acc"].rows))
        return False

    assert files.add(accountant, "/full/new.ckpt", save) == []
    assert seen[0]["/full/new.ckpt"] == 2
    assert accountant.checkpoints["val_acc"].rows == before
    accountant.close()


def test_the_disk_fails_aloud_once_and_the_summary_repeats_it(caplog):
    files = FrontFiles("val_acc", "max", 2)
    accountant, _ = scripted()
    accountant.start()
    files.begin(accountant)
    for _ in range(2):
        files.failed("/full/a.ckpt", OSError(28, "No space left on device"))
    (said,) = caplog.records
    assert said.levelno == logging.WARNING
    assert "/full/a.ckpt" in said.message
    assert "No space left on device" in said.message
    assert accountant.close().notices == (said.message,)


def test_the_name_of_a_file_says_epoch_metric_and_emissions_whatever_the_metric_is_called(disk):
    files = FrontFiles("val/top-5 acc", "max", 5)
    accountant = run(files, disk, (0.123456,), "val/top-5 acc")
    (path,) = files.points(accountant)
    accountant.close()
    assert path == f"{disk.folder}/front-epoch=0-val_top-5_acc=0.1235-kg={EPOCH_KG:.3g}.ckpt"


def test_paths_go_on_with_numbers_and_urls_are_left_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = FrontFiles("val_acc", "max", 5)
    paths = files.paths("logs", "a", ".ckpt")
    assert [next(paths) for _ in range(3)] == [f"{tmp_path}/logs/a{v}.ckpt" for v in ("", "-v1", "-v2")]
    assert next(files.paths("s3://bucket/logs", "a", ".ckpt")) == "s3://bucket/logs/a.ckpt"


def test_what_is_gone_counts_no_more_from_the_next_start_on(disk, tmp_path):
    files = FrontFiles("val_acc", "max", 5)
    accountant = run(files, disk, (0.5, 0.6))
    first, second = files.points(accountant)
    (tmp_path / first).unlink()
    accountant.close()
    accountant.start()
    files.begin(accountant)
    accountant.close()
    assert list(files.points(accountant)) == [second]


def test_what_is_behind_a_url_is_taken_to_be_there(tmp_path):
    kept = Checkpoints("max", {"s3://bucket/a.ckpt": 0, str(tmp_path / "b.ckpt"): 1})
    assert list(kept.that_exist().rows) == ["s3://bucket/a.ckpt"]


def test_what_a_policy_watches_goes_before_what_the_files_are_of(disk):
    sink = ListSink()
    run(FrontFiles("val_f1", "max", 5), disk, metric="val_f1", sinks=[sink]).close()
    assert (sink.contexts[0].monitor, sink.contexts[0].mode) == ("val_f1", "max")
    policies = [MarginalGain("val_loss", report_only=True)]
    run(FrontFiles("val_f1", "max", 5), disk, metric="val_f1", sinks=[sink], policies=policies).close()
    assert (sink.contexts[1].monitor, sink.contexts[1].mode) == ("val_loss", "min")
    assert sink.contexts[1].checkpoints.keys() == {"val_f1"}


def test_a_run_that_is_not_going_on_cannot_be_told():
    accountant, _ = scripted()
    accountant.watch("val_acc", "max")
    accountant.keep_checkpoints("val_acc", Checkpoints("max", {"/a.ckpt": 0}))
    assert accountant.checkpoints == {"val_acc": Checkpoints("max", {"/a.ckpt": 0})}


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("val_x", "auto", 5), "Write mode='max' or mode='min'"),
        (("val_acc", "up", 5), "'max', 'min' or 'auto'"),
        ((None, "max", 5), "not the key of a metric"),
        (("val_acc", "max", 0), "at least one checkpoint must be kept"),
        (("val_acc", "max", "five"), "at least one checkpoint must be kept"),
    ],
)
def test_options_that_cannot_work_are_refused(arguments, remedy):
    with pytest.raises(ConfigurationError, match=re.escape(remedy)):
        FrontFiles(*arguments)


@pytest.mark.parametrize("monitor", ["val_" + "x" * 500, "精度" * 200, "a/b\\c\0\x1b", "../../x", "con"])
def test_a_metric_of_any_name_has_a_file_name_that_every_disk_takes(monitor, disk):
    accountant, clock = scripted()
    files = FrontFiles(monitor, "max", 3)
    with accountant:
        files.begin(accountant)
        train(accountant, clock, range(1), metrics=lambda epoch: {monitor: 0.5})
        path = keep_files(files, accountant, disk)
    assert len(os.fsencode(Path(path).name + "-v100.weights.h5")) <= 255
    assert Path(path).parent == disk.folder
    assert Path(path).exists()


def test_a_save_that_is_interrupted_leaves_no_file_in_the_account(disk):
    accountant, clock = scripted()
    files = FrontFiles("val_acc", "max", 3)

    def interrupted():
        raise KeyboardInterrupt

    with accountant:
        files.begin(accountant)
        train(accountant, clock, range(1), metrics=lambda epoch: {"val_acc": 0.5})
        with pytest.raises(KeyboardInterrupt):
            files.add(accountant, str(disk.folder / "a.ckpt"), interrupted)
        assert files.points(accountant) == {}


def test_a_metric_that_never_comes_with_the_end_of_an_epoch_is_said(caplog):
    files = FrontFiles("val_acc", "max", 2)
    accountant, clock = scripted(decide_every=1)
    accountant.start()
    files.begin(accountant)
    for _ in accountant.epochs(4):
        clock.advance(1.0)
        accountant.observe({"val_acc": 0.5})
        assert accountant.end_step()
        accountant.end_part()
        clock.advance(1.0)
        accountant.end_epoch()
        assert files.due(accountant) is None
    (said,) = accountant.close().notices
    assert "No checkpoint has been kept. The metric 'val_acc' is not reported at the end of epochs" in said
    assert said in caplog.messages
