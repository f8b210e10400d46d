"""What the end of a run says of a landing: in the summary, on TensorBoard's page, and in the methods of a paper."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.landing_runs import budget, gain, go_on, landed
from support.runs import ListSink, scripted
from support.scripted_run import run_context

from green_callbacks.analysis import totals
from green_callbacks.exports import methods
from green_callbacks.ledger import read_ledger
from green_callbacks.records import EpochRecord, History, Landing, Plan
from green_callbacks.sinks.tensorboard.provenance_page import final_page
from green_callbacks.summary import Summary, summarise
from green_callbacks.text.landings import how_it_landed, landing_length, landing_spent

LANDING = Landing(first_step=800, steps=200, epoch=7, last_epoch=9, reason="Training no longer pays.")
STOP = "Training no longer pays. The learning rate went to zero before the stop."


def history(count=10, **fields):
    records = (EpochRecord.scripted(epoch=at, emissions_kg=0.1, step=100 * (at + 1)) for at in range(count))
    return History(each._replace(**fields) for each in records)


def run(records, stop_reason=STOP, landing=LANDING):
    return totals(records, "run-1", None, stop_reason, landing=landing)


def ending(records, stop_reason=STOP, landing=LANDING, plan=None):
    plan = plan or Plan(epochs=20, landing=landing)
    text = summarise(run(records, stop_reason, landing), run_context(Path(), records, plan=plan))
    return " ".join(text.partition("\n\n")[0].split())


def test_a_landing_is_part_of_the_line_of_the_stop():
    assert (
        ending(history())
        == f"Stopped after 10 epochs in 10.0 s. {STOP} The landing took 2 epochs, 200 Wh and 200 g CO2e."
    )


def test_a_run_without_a_landing_is_told_as_before():
    assert ending(history(), "Enough.", None) == "Stopped after 10 epochs in 10.0 s. Enough."
    assert ending(history(), None, None) == "Ended after 10 epochs in 10.0 s. No policy stopped it."
    assert ending(history(), None, None, Plan(epochs=10)) == "Finished as planned: 10 epochs in 10.0 s."


def test_the_energy_of_a_landing_includes_the_pue():
    assert "2 epochs, 250 Wh with the PUE and 250 g CO2e." in ending(history(pue=1.25))


def test_a_landing_inside_epochs_is_told_in_steps():
    inside = replace(LANDING, first_step=850, steps=150, last_epoch=None)
    assert "The landing took 150 steps, about 150 Wh and 150 g CO2e." in ending(history(), landing=inside)


def test_without_a_measurement_the_cost_is_not_known():
    assert "The landing took 2 epochs, and its energy is not known." in ending(history(devices={}))


def test_a_landing_that_was_cut_short_by_a_budget_says_so():
    assert ending(history(9), "The budget is spent.") == (
        "Stopped after 9 epochs in 9.00 s. The budget is spent. It was landing. Training no longer pays. The learning "
        "rate had not reached zero. The landing had taken 1 epoch, 100 Wh and 100 g CO2e."
    )


def test_a_run_that_was_killed_while_it_landed_is_not_said_to_have_been_stopped_by_nothing():
    assert ending(history(9), None) == (
        "Ended after 9 epochs in 9.00 s. It was landing. Training no longer pays. The learning rate had not reached "
        "zero. The landing had taken 1 epoch, 100 Wh and 100 g CO2e."
    )


def test_a_run_that_was_killed_right_after_its_landing_says_why_it_landed():
    assert ending(history(), None) == (
        "Ended after 10 epochs in 10.0 s. Training no longer pays. The learning rate went to zero. The landing took "
        "2 epochs, 200 Wh and 200 g CO2e."
    )


def test_single_epochs_and_steps_are_singular():
    one = run(history(9)).landing
    assert landing_length(one) == "1 epoch"
    assert landing_length(replace(one, epochs=None, steps=1)) == "1 step"
    assert landing_length(replace(one, epochs=None, steps=12345)) == "12,345 steps"
    assert landing_spent(one, 1.2) == "1 epoch, 100 Wh with the PUE and 100 g CO2e"
    assert how_it_landed(run(history(), landing=None)) == ""


def test_the_page_of_a_run_says_that_it_landed():
    page = final_page(run(history()), run_context(Path()))
    assert "| landing | the learning rate went to zero. It took 2 epochs, 200 Wh and 200 g CO2e |" in page
    assert "the learning rate had not reached zero" in final_page(run(history(9)), run_context(Path()))
    assert "| landing |" not in final_page(run(history(), landing=None), run_context(Path()))


def test_a_paper_says_that_the_run_landed():
    assert "for 10 epochs" in methods(run(history()), history())
    assert "In the last 2 epochs, the learning rate went linearly to zero." in methods(run(history()), history())
    unfinished = methods(run(history(9)), history(9))
    assert "In the last 1 epoch, the learning rate went linearly to zero, and did not reach it." in unfinished
    for records, landing in ((history(), None), (history(8), LANDING)):
        assert "learning rate" not in methods(run(records, landing=landing), records)


@pytest.mark.parametrize(
    ("policy", "took"),
    [
        (gain(), "The landing took 3 epochs, 15.0 Wh and 15.0 g CO2e."),
        (budget(), "The landing took 11 steps, about 5.50 Wh and 5.50 g CO2e."),
    ],
    ids=["gain", "budget"],
)
def test_a_run_says_at_its_end_what_its_landing_took(policy, took):
    said, sink = [], ListSink()
    landed(policy, sinks=[Summary(said.append), sink])
    assert took in " ".join(said[0].split())
    assert sink.runs[0].landing.is_over


def test_a_run_that_was_killed_while_it_landed_and_resumed_says_what_all_of_it_took(tmp_path):
    path, said = tmp_path / "run.jsonl", []
    killed, _ = landed(gain(), ledger=path, dies_after=13)
    killed._run.ledger.flush(5.0)
    shutil.copy(path, tmp_path / "copy.jsonl")
    resumed, clock = scripted(
        ledger=tmp_path / "copy.jsonl", policies=[gain()], plan=Plan(epochs=40), sinks=[Summary(said.append)]
    )
    resumed.start()
    go_on(resumed, clock, range(13, 40))  # the last checkpoint was that of epoch 12
    resumed.close()
    text = " ".join(said[0].split())
    assert "The landing took 3 epochs, 20.0 Wh and 20.0 g CO2e." in text
    assert "The learning rate went to zero before the stop." in text


def test_a_resumed_landing_is_said_to_go_on_and_not_to_be_shortened(tmp_path, caplog):
    killed, _ = landed(gain(), ledger=tmp_path / "run.jsonl", dies_after=13)
    killed._run.ledger.flush(5.0)
    shutil.copy(tmp_path / "run.jsonl", tmp_path / "copy.jsonl")
    caplog.clear()
    resumed, clock = scripted(ledger=tmp_path / "copy.jsonl", policies=[gain()], plan=Plan(epochs=40))
    resumed.start()
    go_on(resumed, clock, range(13, 40))
    resumed.close()
    assert "The landing of this run goes on." in caplog.text
    assert "shortened" not in caplog.text


def test_a_ledger_that_is_closed_before_it_goes_on_knows_its_landing(tmp_path):
    landed(gain(), ledger=tmp_path / "run.jsonl")
    again, _ = scripted(ledger=tmp_path / "run.jsonl")
    assert again.close().landing.epochs == 3


def then_tested(policy, **options):
    accountant, clock = landed(policy, **options)
    accountant.start()
    with accountant.phase("test"):
        clock.advance(30.0)
    return accountant, clock, accountant.close()


def test_a_test_after_the_training_does_not_change_how_the_training_ended(tmp_path):
    path = tmp_path / "run.jsonl"
    _, _, run = then_tested(gain(), ledger=path)
    assert run.landing.epochs == 3
    assert run.stop_reason.endswith("The learning rate went to zero before the stop.")
    assert read_ledger(path).stop_reason == run.stop_reason
    again, clock = scripted(ledger=path, policies=[gain()], plan=Plan(epochs=40))
    again.start()
    clock.advance(1.0)
    closed = again.close()
    assert (closed.landing.epochs, closed.stop_reason) == (3, run.stop_reason)


def test_a_second_training_ends_in_its_own_way():
    accountant, clock, _ = then_tested(gain())
    go_on(accountant, clock, range(5))
    run = accountant.close()
    assert (run.landing, run.stop_reason) == (None, None)
    accountant.start()
    clock.advance(1.0)
    run = accountant.close()
    assert (run.landing, run.stop_reason) == (None, None)


def test_a_validation_in_mid_landing_does_not_end_it():
    accountant, clock = landed(gain(), dies_after=12)
    accountant.close()
    accountant.start()
    clock.advance(1.0)
    accountant.close()
    go_on(accountant, clock, range(13, 40))
    run = accountant.close()
    assert (run.landing.epochs, run.landing.is_over, run.epochs) == (3, True, 15)
