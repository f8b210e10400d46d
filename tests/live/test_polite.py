"""A service is asked seldom, and what it said stands in for what it does not say."""

import copy
import pickle
from datetime import timedelta

import pytest
from support.grid_answers import NOON, half_hour, point, uk_now
from support.local_server import in_turn, reply, reply_json

from green_callbacks.carbon import lookup, mean_intensity

MINUTE = timedelta(minutes=1)


def test_it_is_asked_every_quarter_of_an_hour_however_often_it_is_polled(uk, server, clock):
    server.answer = reply_json(uk_now())
    provider = uk()
    for _ in range(61):
        provider.poll()
        clock.advance(provider.poll_seconds)
    assert len(server.questions) == 5


@pytest.mark.parametrize(
    ("control", "minutes"), [("public, max-age=1800", 30), ("max-age=5", 15), ("max-age=99999", 60)]
)
def test_it_may_ask_to_be_asked_less_often(control: str, minutes: int, uk, server, clock):
    server.answer = reply_json(uk_now(), Cache_Control=control)
    provider = uk()
    provider.poll()
    clock.advance(minutes * 60 - 1)
    provider.poll()
    assert len(server.questions) == 1
    clock.advance(1)
    provider.poll()
    assert len(server.questions) == 2


def test_other_processes_take_the_answer_from_the_folder(uk, server):
    server.answer = reply_json(uk_now())
    for provider in (uk(), uk(), uk()):
        provider.poll()
        assert provider.at(NOON).g_per_kwh == 263
    assert len(server.questions) == 1


def test_values_add_up_to_a_mean_over_a_change(uk, server, clock):
    rows = [half_hour(0, actual=100), half_hour(1, actual=200)]
    server.answer = in_turn(*(reply_json({"data": [row]}) for row in rows))
    provider = uk()
    provider.poll()
    clock.advance(1800)
    provider.poll()
    mean = mean_intensity(provider, NOON + 15 * MINUTE, NOON + 45 * MINUTE)
    assert (mean.g_per_kwh, mean.flags) == (150, ("direct only",))
    assert mean_intensity(provider, NOON - 29 * MINUTE, NOON + 45 * MINUTE).flags == ("direct only",)
    assert mean_intensity(provider, NOON - 45 * MINUTE, NOON + 45 * MINUTE).flags == ("direct only", "stale")


def test_a_value_that_is_revised_counts_as_revised(maps, server, clock):
    server.answer = in_turn(reply_json(point(300, isEstimated=True)), reply_json(point(310)))
    provider = maps()
    provider.poll()
    clock.advance(900)
    provider.poll()
    assert (provider.at(NOON).g_per_kwh, provider.at(NOON).flags) == (310, ())


def test_the_last_value_stands_in_for_a_day_and_then_the_yearly_average(uk, server, clock, caplog):
    server.answer = in_turn(reply_json(uk_now()), reply(b"", 500))
    provider, yearly = uk(), lookup("GB")
    provider.poll()
    clock.advance(6 * 3600)
    provider.poll()
    held = provider.at(NOON + 360 * MINUTE)
    assert (held.g_per_kwh, held.flags) == (263, ("direct only", "stale"))
    assert (held.low_g_per_kwh, held.high_g_per_kwh) == (yearly.low_g_per_kwh, max(263, yearly.high_g_per_kwh))
    assert provider.at(NOON - 360 * MINUTE).flags == ("direct only", "stale")
    for days in (-3, 3):
        far = NOON + timedelta(days=days)
        assert provider.at(far).flags == provider.over(far, far + MINUTE).flags == ("static",)
    assert len(caplog.records) == 1
    assert "HTTP 500" in caplog.text


def test_an_old_answer_is_as_good_as_none(uk, server):
    server.answer = reply_json({"data": [{**half_hour(0), "from": "2018-01-20T12:00Z", "to": "2018-01-20T12:30Z"}]})
    provider = uk()
    provider.poll()
    assert provider.at(NOON).flags == ("static",)


def test_after_failures_it_is_left_alone_for_longer_and_longer(uk, server, clock):
    server.answer = reply(b"", 404)
    provider, times = uk(), []
    for minute in range(240):
        before = len(server.questions)
        provider.poll()
        if len(server.questions) > before:
            times.append(minute)
        clock.advance(60)
    assert times == [0, 1, 3, 7, 15, 31, 63, 123, 183]


def test_after_an_answer_all_is_forgiven(uk, server, clock):
    server.answer = in_turn(reply(b"", 404), reply(b"", 404), reply_json(uk_now()), reply(b"", 404))
    provider = uk()
    for seconds in (60, 120, 900, 59):
        provider.poll()
        clock.advance(seconds)
    provider.poll()
    assert len(server.questions) == 4
    clock.advance(1)
    provider.poll()
    assert len(server.questions) == 5


@pytest.mark.parametrize(
    ("after", "seconds"),
    [("600", 600), ("5", 60), ("Sun, 01 Jun 2014 12:00:00 GMT", 60), ("9" * 400, 86_400), ("soon", 60), ("٣", 60)],
)
def test_it_may_ask_to_be_left_alone(after: str, seconds: int, uk, server, clock, caplog):
    server.answer = reply(b"", 429, Retry_After=after.encode().decode("latin-1"))
    provider = uk()
    provider.poll()
    clock.advance(seconds - 1)
    provider.poll()
    assert len(server.questions) == 1
    clock.advance(1)
    provider.poll()
    assert len(server.questions) == 2
    assert len(caplog.records) == 1
    assert "429" in caplog.text


def test_a_stumble_is_asked_over_at_once(uk, server, caplog):
    server.answer = in_turn(reply(b"", 503), reply(b"", 500), reply_json(uk_now()))
    provider = uk()
    provider.poll()
    assert provider.at(NOON).g_per_kwh == 263
    assert caplog.text == ""


def test_but_not_for_ever(uk, server):
    server.answer = reply(b"", 503)
    uk().poll()
    assert len(server.questions) == 3


def test_a_folder_that_cannot_be_written_to_costs_politeness_between_processes_only(maps, server, clock, tmp_path):
    (tmp_path / "file").touch()
    server.answer = reply_json(point())
    provider = maps(cache=tmp_path / "file" / "folder")
    for _ in range(10):
        provider.poll()
        clock.advance(60)
    assert provider.at(NOON).g_per_kwh == 322
    assert len(server.questions) == 1


def test_it_survives_pickling_and_copying_with_what_it_knows(uk, server):
    server.answer = reply_json(uk_now())
    provider = uk()
    provider.poll()
    for twin in (pickle.loads(pickle.dumps(provider)), copy.deepcopy(provider)):
        assert twin.at(NOON) == provider.at(NOON)
        twin.poll()
    assert len(server.questions) == 1


def test_the_users_cache_folder_is_the_default(server, monkeypatch, tmp_path):
    from green_callbacks.carbon import UkCarbonIntensity

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "xdg"))
    server.answer = reply_json(uk_now())
    UkCarbonIntensity(base_url=server.url).poll()
    assert [path.name for path in tmp_path.glob("xdg/**/*.json")]
