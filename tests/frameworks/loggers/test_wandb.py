"""What the file that W&B writes offline holds of a run, and that no run is ever made."""

import threading

import pytest
from support.runs import scripted, train

from green_callbacks import WandbSink
from green_callbacks.sinks import Reporting

wandb = pytest.importorskip("wandb")

GRAMS = 10 * 300 / 3600
"""Emissions of one epoch of 10 s at 300 W and 1000 gCO2e/kWh, in g."""


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Opens a run of W&B offline. None may be left open."""
    monkeypatch.setattr(wandb, "run", None)  # a disabled run stays there after its end
    yield lambda **options: wandb.init(**{"mode": "offline", "project": "tests", "dir": tmp_path, **options})
    assert wandb.run is None or wandb.run.disabled


@pytest.fixture
def read(tmp_path):
    """Reads the file of a run."""
    from support.wandb_file import read_wandb_file

    def of(run):
        (path,) = tmp_path.rglob(f"run-{run.id}.wandb")
        return read_wandb_file(path)

    return of


@pytest.fixture
def said(caplog):
    return lambda: [each.getMessage() for each in caplog.records if each.name.startswith("green_callbacks")]


def files(folder):
    return list(folder.rglob("*.wandb"))


def test_the_default_sinks_write_every_epoch_and_the_totals_to_the_open_run(begin, read, tmp_path):
    accountant, clock = scripted(sinks=None, ledger=None, strict=True)
    with begin() as run, accountant:
        train(accountant, clock, range(3), between=6.0)
        record = accountant.close()

    shown = read(run)
    assert shown.curve("green/emissions_g") == [(epoch, pytest.approx(GRAMS)) for epoch in range(3)]
    totals = [total for _, total in shown.curve("green/emissions_total_g")]
    assert totals == [pytest.approx(GRAMS * (1 + 1.6 * epoch)) for epoch in range(3)]
    assert shown.axes == {"green/epoch": "", "green/*": "green/epoch", "green_detail/*": "green/epoch"}
    assert shown.summary["green/emissions_total_g"] == pytest.approx(1000 * record.emissions_kg)
    assert shown.summary["green/energy_total_wh"] == pytest.approx(1000 * record.energy_kwh)
    assert shown.summary["green/watts"] == pytest.approx(300.0)
    assert shown.summary["green/measured_total_percent"] == 100.0
    assert shown.config["green/run_id"] == accountant.run_id
    assert shown.config["green/ledger"] == str(accountant.ledger)
    assert shown.config["green/pue"] == 1.0
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("where", ["before", "after", "both"])
@pytest.mark.parametrize("has_step", [False, True])
def test_no_value_of_the_user_is_lost_with_or_without_a_step(begin, read, where, has_step):
    accountant, clock = scripted(sinks=None, strict=True)

    def log(run, **values):
        run.log(values, step=values["epoch"] if has_step else None)

    with begin() as run, accountant:
        for epoch in range(4):
            accountant.begin_epoch(epoch)
            clock.advance(10)
            if where != "after":
                log(run, loss=float(epoch), epoch=epoch)
            accountant.end_epoch()
            accountant._run._delivery.worker.drain(5)
            if where != "before":
                log(run, accuracy=float(epoch), epoch=epoch)
                log(run, recall=float(epoch), epoch=epoch)

    shown = read(run)
    for key in {"before": ["loss"], "after": ["accuracy", "recall"]}.get(where, ["loss", "accuracy", "recall"]):
        assert shown.curve(key, "epoch") == [(epoch, float(epoch)) for epoch in range(4)]
    assert [epoch for epoch, _ in shown.curve("green/emissions_g")] == [0, 1, 2, 3]


def test_without_an_open_run_none_is_made_and_only_a_sink_that_was_asked_for_says_so(said, tmp_path):
    for sinks in (None, [WandbSink()]):
        accountant, clock = scripted(sinks=sinks, strict=True)
        with accountant:
            train(accountant, clock, range(2))
    assert wandb.run is None
    assert not files(tmp_path)
    (sentence,) = [each for each in said() if "no open run" in each]
    assert "Call wandb.init() before the training" in sentence


def test_a_run_that_is_opened_after_the_start_is_found_at_the_next_edge(begin, read):
    accountant, clock = scripted(sinks=None, strict=True)
    accountant.start()
    with begin() as run:
        train(accountant, clock, range(2))
        accountant.close()
    assert [epoch for epoch, _ in read(run).curve("green/emissions_g")] == [0, 1]


def test_a_run_that_finishes_first_is_said_once(begin, read, said):
    accountant, clock = scripted(sinks=None, strict=True)
    with begin() as run:
        train(accountant, clock, range(2))
        accountant._run._delivery.worker.drain(5)
    train(accountant, clock, range(2, 4))
    record = accountant.close()
    assert record.epochs == 4
    assert [epoch for epoch, _ in read(run).curve("green/emissions_g")] == [0, 1]
    (sentence,) = [each for each in said() if "finished before" in each]
    assert sentence.startswith(f"The W&B run {run.id} finished before the accountant was closed")


def test_a_run_that_takes_the_place_of_another_belongs_to_the_next_training(begin, read):
    runs = []
    for rate in (0.1, 0.2):
        runs.append(begin(config={"rate": rate}, reinit="finish_previous"))
        accountant, clock = scripted(sinks=None, strict=True)
        with accountant:
            train(accountant, clock, range(2))
    runs[-1].finish()
    for run in runs:
        assert [epoch for epoch, _ in read(run).curve("green/emissions_g")] == [0, 1]


def test_a_disabled_run_is_left_alone(begin, said, tmp_path):
    accountant, clock = scripted(sinks=[WandbSink(ledger_artifact=True)], ledger=None, strict=True)
    with begin(mode="disabled"), accountant:
        train(accountant, clock, range(2))
    assert not said()
    assert not files(tmp_path)


def test_a_run_of_several_in_a_process_is_passed_and_the_ledger_is_uploaded_if_asked(begin, read):
    first, second = begin(reinit="create_new"), begin(reinit="create_new")
    accountant, clock = scripted(sinks=[WandbSink(second, ledger_artifact=True)], ledger=None, strict=True)
    with accountant:
        train(accountant, clock, range(2))
    first.finish()
    second.finish()
    assert not read(first).curve("green/emissions_g")
    assert [epoch for epoch, _ in read(second).curve("green/emissions_g")] == [0, 1]
    assert read(second).artifacts == [f"green-ledger-{second.id}"]


def test_a_framework_that_reports_steps_has_its_own_axis(begin, read):
    accountant, clock = scripted(sinks=None, strict=True)
    with begin() as run:
        accountant.start(reporting=Reporting(step_metric="train/global_step"))
        for epoch in range(2):
            accountant.begin_epoch(epoch)
            clock.advance(10)
            run.log({"train/loss": 1.0, "train/global_step": 5 * (epoch + 1)})
            accountant.observe(step=5 * (epoch + 1))
            accountant.end_epoch()
        accountant.close()
    assert [step for step, _ in read(run).curve("green/watts", "train/global_step")] == [5, 10]
    assert read(run).axes["green/*"] == "train/global_step"


def test_repeated_epochs_come_again_and_two_trainings_in_one_run_are_said(begin, read, said):
    with begin() as run:
        first, clock = scripted(sinks=None, strict=True)
        with first:
            train(first, clock, range(2))
        second, clock = scripted(clock, sinks=None, strict=True)
        second.load_state_dict(first.state_dict())
        with second:
            train(second, clock, [1, 2])
        assert not any("mixed" in each for each in said())
        other, clock = scripted(clock, sinks=None, strict=True)
        with other:
            train(other, clock, range(1))
    assert [epoch for epoch, _ in read(run).curve("green/emissions_g")] == [0, 1, 1, 2, 0]
    assert sum("of two runs are mixed" in each for each in said()) == 1


def test_a_training_on_another_thread_writes_to_the_run_of_the_process(begin, read):
    def fit():
        accountant, clock = scripted(sinks=None, strict=True)
        with accountant:
            train(accountant, clock, range(2))

    with begin() as run:
        thread = threading.Thread(target=fit)
        thread.start()
        thread.join()
    assert [epoch for epoch, _ in read(run).curve("green/emissions_g")] == [0, 1]
