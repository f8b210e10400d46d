import logging
import threading

import pytest
from support.runs import ListSink, scripted, train

from green_callbacks import CarbonBudget, MarginalGain, Plan, Verdict
from green_callbacks.sinks import Sink


def test_a_policy_stops_the_loop_with_its_reason(caplog):
    def third(history, _):
        return "Three are enough." if history.finished_epochs == 3 else None

    accountant, clock = scripted(policies=[third])
    with accountant:
        done = [(epoch, clock.advance(1)) for epoch in accountant.epochs(10)]
    assert [epoch for epoch, _ in done] == [0, 1, 2]
    assert accountant.stop_reason == accountant.close().stop_reason == "Three are enough."
    assert "Stopping after epoch 2. Three are enough." in caplog.text


def test_verdicts_are_on_the_record_in_the_order_of_the_policies():
    sink = ListSink()
    accountant, clock = scripted(policies=[CarbonBudget("1 t"), lambda *_: False], sinks=[sink])
    accountant.start()
    (record,) = train(accountant, clock, [0])
    accountant.close()
    assert [verdict.code for verdict in record.verdicts] == ["active", "active"]
    assert "green/budget_left_kg" in record.verdicts[0].values
    assert sink.records[0].verdicts == record.verdicts


def test_the_first_reason_to_stop_is_kept():
    answers = iter(["first", "second", None])
    accountant, clock = scripted(policies=[lambda *_: next(answers)])
    accountant.start()
    train(accountant, clock, range(3))
    assert accountant.stop_reason == "first"
    accountant.close()


def test_a_budget_stops_before_it_would_be_overspent():
    accountant, clock = scripted(policies=[CarbonBudget("10 kJ")])
    with accountant:
        done = [(epoch, clock.advance(10)) for epoch in accountant.epochs(10)]
    assert len(done) == 3
    assert accountant.close().facility_kwh * 3600 == pytest.approx(9.0)


class Failing(Sink):
    def write(self, record):
        msg = f"no room for {record.epoch}"
        raise OSError(msg)


class BadPolicy:
    """Answers with the truth, not with a verdict."""

    def decide(self, history, plan):
        return True


def divide(history, plan):
    return 1 / 0


@pytest.mark.parametrize("policy", [divide, BadPolicy()])
def test_a_policy_that_fails_ends_nothing_and_is_logged_once(policy, caplog):
    accountant, clock = scripted(policies=[policy, lambda history, _: history.finished_epochs == 2])
    with accountant:
        done = [(epoch, clock.advance(1)) for epoch in accountant.epochs(5)]
    assert len(done) == 2
    assert len([r for r in caplog.records if "failed. Training goes on without it" in r.message]) == 1


@pytest.mark.parametrize(("policy", "error"), [(divide, ZeroDivisionError), (BadPolicy(), TypeError)])
def test_a_policy_that_fails_raises_where_that_is_asked_for(policy, error):
    accountant, clock = scripted(policies=[policy], strict=True)
    accountant.start()
    with pytest.raises(error):
        train(accountant, clock, [0])
    accountant.close()


def test_a_sink_that_fails_ends_nothing_and_is_logged_once(caplog):
    good = ListSink()
    accountant, clock = scripted(sinks=[Failing(), good], ledger="run.jsonl")
    with accountant:
        train(accountant, clock, range(5))
    assert [record.epoch for record in good.records] == list(range(5))
    assert len([r for r in caplog.records if r.levelno >= logging.ERROR]) == 1


def test_a_sink_that_fails_raises_where_that_is_asked_for():
    accountant, clock = scripted(sinks=[Failing()], strict=True)
    accountant.start()
    with pytest.raises(OSError, match="no room for 0"):
        train(accountant, clock, [0])
    accountant.close()
    assert not accountant.is_live


def test_a_sink_that_fails_at_the_end_raises_where_that_is_asked_for():
    class FailsAtTheEnd(ListSink):
        def finish(self, run):
            raise OSError(run.run_id)

    accountant, _ = scripted(sinks=[FailsAtTheEnd()], strict=True)
    accountant.start()
    with pytest.raises(OSError, match=accountant.run_id):
        accountant.close()
    assert not accountant.is_live


def test_a_monitor_that_never_appears_is_named_with_the_keys_that_do(caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc")])
    accountant.start()
    train(accountant, clock, [0], metrics=lambda _: {"loss": 1.0})
    assert "val_acc" not in "".join(r.message for r in caplog.records if r.levelno >= logging.WARNING)
    train(accountant, clock, range(1, 4), metrics=lambda _: {"val_accuracy": 0.5, "loss": 1.0})
    accountant.close()
    (said,) = [r.message for r in caplog.records if r.levelno >= logging.WARNING]
    assert said == (
        "MarginalGain watches the metric 'val_acc' and cannot act so far: it has not appeared in epoch 1. "
        "Did you mean 'val_accuracy'? There are: loss, val_accuracy."
    )


def test_a_monitor_that_appears_is_not_missed(caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc")])
    accountant.start()
    train(accountant, clock, range(3), metrics=lambda epoch: {"val_acc": epoch / 10})
    train(accountant, clock, range(3, 5), metrics=lambda _: {"val_loss": 1.0})
    accountant.close()
    assert "has not appeared" not in caplog.text


def test_a_metric_that_is_nan_stops_nothing_by_itself():
    accountant, clock = scripted(policies=[MarginalGain("val_acc"), CarbonBudget("1 t")])
    accountant.start()
    records = train(accountant, clock, range(6), metrics=lambda _: {"val_acc": float("nan")})
    assert not any(verdict.stop for record in records for verdict in record.verdicts)
    accountant.close()


def test_sinks_know_what_is_watched():
    sink = ListSink()
    accountant, _ = scripted(policies=[CarbonBudget("1 kg"), MarginalGain("val_loss", mode="min")], sinks=[sink])
    accountant.start()
    accountant.close()
    assert (sink.contexts[0].monitor, sink.contexts[0].mode) == ("val_loss", "min")


def test_policies_say_what_they_will_do_and_what_is_new(caplog):
    codes = iter(["waiting", "waiting", "active", "warning", "warning", "active"])
    accountant, clock = scripted(
        policies=[CarbonBudget("1 kg"), lambda *_: Verdict(stop=False, code=next(codes), reason="Something is new.")]
    )
    with caplog.at_level(logging.INFO):
        accountant.start()
        assert "The run may spend 1.00 kg" in caplog.text
        train(accountant, clock, range(6))
    accountant.close()
    said = [r.levelname for r in caplog.records if r.message == "Something is new."]
    assert said == ["INFO", "INFO", "WARNING", "INFO"]


def test_the_end_of_an_epoch_does_not_wait_for_a_slow_sink():
    gate = threading.Event()

    class Slow(ListSink):
        def write(self, record):
            gate.wait(30)
            super().write(record)

    slow = Slow()
    accountant, clock = scripted(sinks=[slow], ledger="run.jsonl")
    accountant.start()
    train(accountant, clock, range(5))
    assert slow.records == []  # five epochs ended while it was busy with the first
    gate.set()
    accountant.close()
    assert [record.epoch for record in slow.records] == list(range(5))


def test_a_planned_run_is_forecast_from_its_third_epoch_on(caplog):
    accountant, clock = scripted(policies=[CarbonBudget("1 kWh")])
    with caplog.at_level(logging.INFO), accountant:
        for _ in accountant.epochs(10):
            clock.advance(12)
    history, said = accountant.history, [message for message in caplog.messages if "planned epochs" in message]
    assert len(said) == 1
    assert said[0].startswith("The 10 planned epochs will likely take 10.0 Wh (")
    assert history.facility_kwh == pytest.approx(0.01)


def test_a_forecast_stands_after_the_verdicts_of_the_policies_where_the_length_is_known():
    accountant, clock = scripted(policies=[CarbonBudget("1 kWh")])
    accountant.start(plan=Plan(epochs=10))
    *before, third = train(accountant, clock, range(3))
    accountant.close()
    assert [len(record.verdicts) for record in before] == [1, 1]
    assert "green/budget_left_kwh" in third.verdicts[0].values
    assert third.verdicts[1].values["green/forecast_kwh"] == pytest.approx(10 * 3000 / 3.6e6)


def test_a_jump_of_the_forecast_is_a_warning(caplog):
    accountant, clock = scripted()
    accountant.start(plan=Plan(epochs=100))
    train(accountant, clock, range(10), seconds=10)
    train(accountant, clock, range(10, 16), seconds=30)
    accountant.close()
    (said,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert said.message.startswith("Epochs now take more energy than before")
