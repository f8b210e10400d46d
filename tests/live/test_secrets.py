"""A token goes to its service and shows nowhere else."""

import copy
import logging
import pickle
import traceback
from pathlib import Path

import pytest
from support.grid_answers import NOON, point
from support.local_server import Question, hang_up, reply, reply_json

from green_callbacks.carbon.live.electricity_maps import TOKEN_VARIABLE
from green_callbacks.records.codec import encode_intensity


def echo(question: Question) -> None:
    """Send everything back, the token among it, as a chatty error page may."""
    reply(str(question.headers).encode(), 400)(question)


ANSWERS = {"good": reply_json(point()), "echo": echo, "none": hang_up, "refused": reply(b"", 401)}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_it_shows_nowhere(answer, maps, server, caplog, token, tmp_path: Path, capfd):
    server.answer = answer
    provider = maps()
    with caplog.at_level(logging.DEBUG):
        provider.poll()
        provider.forecast()
    assert server.questions == [] or server.questions[0].headers["auth-token"] == token
    files = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    shown = [
        caplog.text,
        *(str(record.__dict__) for record in caplog.records),
        *capfd.readouterr(),
        *files,
        repr(provider),
        repr(vars(provider)),
        str(encode_intensity(provider.at(NOON))),
        repr(pickle.dumps(provider)),
        repr(provider._request()),
    ]
    assert files
    assert not [text for text in shown if token in text]


def test_nor_in_what_goes_wrong(maps, token):
    with pytest.raises(ValueError, match="base_url") as caught:
        maps(base_url="nowhere")
    assert token not in "".join(traceback.format_exception(caught.value))


def test_a_pickled_copy_reads_it_from_the_environment(maps, server, clock, token, monkeypatch):
    server.answer = reply_json(point())
    monkeypatch.setenv(TOKEN_VARIABLE, "another")
    for twin_of in (copy.deepcopy, lambda provider: pickle.loads(pickle.dumps(provider))):
        twin_of(maps()).poll()
        clock.advance(3600)
    assert [asked.headers["auth-token"] for asked in server.questions] == [token, "another"]
