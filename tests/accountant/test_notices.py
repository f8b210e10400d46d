"""What a run cannot do: said once, and in the summary as long as it holds."""

from green_callbacks.accountant.notices import Notices


def warnings(caplog):
    return [record.getMessage() for record in caplog.records]


def test_what_was_withdrawn_and_holds_again_is_in_the_summary_again(caplog):
    kept: list[tuple[str, str | None]] = []
    notices = Notices()
    notices.keep = lambda key, text: kept.append((key, text))
    notices.say("sink", "The sink hangs.")
    notices.withdraw("sink")
    assert notices.texts == ()
    notices.say("sink", "The sink hangs.")
    notices.say("sink", "The sink hangs.")
    assert notices.texts == ("The sink hangs.",)
    assert kept == [("sink", "The sink hangs."), ("sink", None), ("sink", "The sink hangs.")]
    assert warnings(caplog) == ["The sink hangs."]


def test_what_an_earlier_process_said_is_said_again_where_it_holds(caplog):
    notices = Notices({"sink": "The sink hung."})
    assert notices.texts == ("The sink hung.",)
    notices.say("sink", "The sink hangs.")
    assert notices.texts == ("The sink hangs.",)
    assert warnings(caplog) == ["The sink hangs."]
