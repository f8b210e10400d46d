from green_callbacks.policies import CarbonBudget, replay
from green_callbacks.policies.replay import replay_landing
from green_callbacks.records import EpochRecord, History, Plan, Verdict

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


def stepped(count=20):
    return History(EpochRecord.scripted(epoch=at, emissions_kg=0.1, step=100 * (at + 1)) for at in range(count))


def lands(at, share=0.2):
    """Lands after so many epochs."""

    def decide(history, plan):
        landing = share if len(history) >= at and plan.landing is None else None
        return Verdict(stop=False, code="landing" if landing else "active", reason="Enough.", landing=landing)

    return decide


def test_a_landing_comes_with_its_steps():
    landed = replay(stepped(), lands(10))
    assert (landed.begins.epoch, landed.record.epoch) == (9, 11)
    assert (landed.landing.first_step, landed.landing.end, landed.landing.last_epoch) == (1000, 1200, 11)
    assert replay(HISTORY, lands(5)).landing is None


def test_a_landing_that_outlasts_the_run_is_reported_as_such():
    assert replay(stepped(11), lands(10)) is None
    landed = replay_landing(stepped(11), lands(10))
    assert (landed.verdict.stop, landed.verdict.code) == (False, "landing")
    assert (landed.begins.epoch, landed.record.epoch) == (9, 10)
    assert replay_landing(stepped(11), lands(12)) is None
    assert replay_landing(History(), lands(12)) is None


def test_a_landing_without_a_step_left_is_a_stop():
    landed = replay(stepped(), lands(10), Plan(steps=1000))
    assert (landed.record.epoch, landed.begins, landed.verdict.code) == (9, None, "stopping")


def test_a_budget_that_is_spent_ends_a_landing():
    budget = CarbonBudget(1.05, landing=0.1, hard=False)
    landed = replay(stepped(), budget)
    assert (landed.begins.epoch, landed.record.epoch) == (9, 10)
    assert landed.landing.first_step == 1000
