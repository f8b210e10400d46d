from green_callbacks.policies import CarbonBudget, replay
from green_callbacks.records import EpochRecord, History, Plan

HISTORY = History(EpochRecord.scripted(epoch=at, emissions_kg=0.1) for at in range(10))


def test_the_first_stop_is_found_with_its_record():
    stop = replay(HISTORY, CarbonBudget("500 g"), Plan())
    assert stop.record == HISTORY[4]
    assert stop.verdict == CarbonBudget("500 g").decide(History(HISTORY[:5]), Plan())


def test_a_run_that_goes_to_its_end_has_none():
    assert replay(HISTORY, CarbonBudget("1 t")) is None
    assert replay(History(), CarbonBudget("1 t")) is None


def test_a_function_can_be_replayed():
    assert replay(HISTORY, lambda history, plan: len(history) == 3).record.epoch == 2
