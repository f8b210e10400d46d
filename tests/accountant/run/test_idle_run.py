"""An accountant ignores what it is told while its run is not measured."""

import pytest
from support.runs import scripted, train

from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Checkpoints, Plan


def told(accountant):
    """Call everything that a live run would take."""
    accountant.expect(Plan(epochs=3))
    accountant.watch("val_acc", "max")
    accountant.expect_validation(2)
    accountant.expect_no_epochs()
    accountant.explain_missing(["val_acc"], "it is late", "Wait.")
    accountant.keep_checkpoints("val_acc", Checkpoints("max", {}))
    accountant.observe({"val_acc": 0.9}, samples=10)
    with accountant.phase("validation"):
        pass
    assert not accountant.end_step()
    assert not accountant.look()
    assert accountant.samples is None


@pytest.mark.parametrize("has_run", [False, True])
def test_it_takes_every_call_and_records_nothing(has_run, caplog):
    accountant, clock = scripted()
    if has_run:
        with accountant:
            train(accountant, clock, [0])
    caplog.clear()
    count = len(accountant.history)
    told(accountant)
    assert accountant.end_part().energy_joules is None
    assert accountant.end_epoch().complete is False
    assert len(accountant.history) == count
    warned = [record.message for record in caplog.records if "had not begun" in record.message]
    assert len(warned) == (0 if has_run else 2)


def test_it_refuses_a_phase_that_does_not_exist():
    accountant, _ = scripted()
    with pytest.raises(ConfigurationError, match="no phase 'dreaming'"):
        accountant.phase("dreaming")
