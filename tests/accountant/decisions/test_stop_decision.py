"""The decision to stop a run."""

from support.thread_ranks import on_ranks

from green_callbacks.accountant.decisions.stop_decision import StopDecision


def test_the_first_decision_stays_and_is_logged_once(caplog):
    decision = StopDecision()
    assert not decision.is_made
    decision.stop("The budget is spent.", "after", 3)
    decision.stop("It is enough.", "in", 4)
    assert decision.reason == "The budget is spent."
    assert [record.message for record in caplog.records] == ["Stopping after epoch 3. The budget is spent."]


def test_the_decision_of_rank_0_reaches_all_ranks():
    def body(ranks):
        decision = StopDecision()
        if ranks.rank == 0:
            decision.stop("It is enough.", "after", 0)
        decision.agree(ranks)
        return decision.reason

    assert on_ranks(2, body) == ["It is enough.", "Rank 0 decided to stop."]
