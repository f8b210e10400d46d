import pytest

from green_callbacks.errors import ConfigurationError
from green_callbacks.policies import CarbonBudget, as_policy
from green_callbacks.records import EpochRecord, History, Plan, Verdict

HISTORY = History([EpochRecord.scripted(epoch=0, emissions_kg=1.0)])


def too_dear(history, plan):
    return history.emissions_kg > 0.5


def test_an_object_with_decide_is_a_policy_already():
    policy = CarbonBudget("1 kg")
    assert as_policy(policy) is policy


def test_a_function_may_say_whether_to_stop():
    stop = as_policy(too_dear).decide(HISTORY, Plan())
    assert stop == Verdict(stop=True, code="stopping", reason="The policy too_dear stops the run.")
    assert as_policy(too_dear).decide(History(), Plan()).code == "active"


def test_a_function_may_give_the_reason_a_verdict_or_nothing():
    assert as_policy(lambda history, plan: "Enough.").decide(HISTORY, Plan()).reason == "Enough."
    assert not as_policy(lambda history, plan: None).decide(HISTORY, Plan()).stop
    own = Verdict(stop=False, code="warning", reason="Nearly enough.")
    assert as_policy(lambda history, plan: own).decide(HISTORY, Plan()) is own


@pytest.mark.parametrize("answer", [(False, "a pair is always true"), [], 0.3])
def test_another_answer_is_named(answer):
    with pytest.raises(TypeError, match="Return a Verdict"):
        as_policy(lambda history, plan: answer).decide(HISTORY, Plan())


def test_a_class_or_a_thing_is_refused():
    with pytest.raises(ConfigurationError, match=r"CarbonBudget\(\.\.\.\)"):
        as_policy(CarbonBudget)
    with pytest.raises(ConfigurationError, match="no policy"):
        as_policy("500 g")
