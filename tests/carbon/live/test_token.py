"""A token goes into the header of a request and nowhere else."""

import copy
import pickle

import pytest

from green_callbacks.carbon.live.token import Token
from green_callbacks.errors import ConfigurationError

VARIABLE = "GREEN_CALLBACKS_TEST_TOKEN"


def test_it_is_the_argument_or_the_variable():
    assert Token(" abc\n", VARIABLE, {VARIABLE: "def"}).secret == "abc"
    assert Token(None, VARIABLE, {VARIABLE: "def"}).secret == "def"


@pytest.mark.parametrize("environ", [{}, {VARIABLE: " "}])
def test_none_is_refused_with_the_name_of_the_variable(environ: dict[str, str]):
    with pytest.raises(ConfigurationError, match=VARIABLE):
        Token(None, VARIABLE, environ)


@pytest.mark.parametrize("secret", ["secret word", "secret\r\nX: 1", "secret\u00e9", "secret" * 1000])
def test_what_cannot_be_in_a_header_is_refused_without_showing_it(secret: str):
    with pytest.raises(ConfigurationError) as caught:
        Token(secret, VARIABLE)
    assert "secret" not in str(caught.value)


def test_it_does_not_show():
    token = Token("hush-hush", VARIABLE)
    assert "hush" not in f"{token} {token!r}"


def test_a_pickle_reads_it_from_the_environment_again(monkeypatch: pytest.MonkeyPatch):
    pickled = pickle.dumps(Token("hush-hush", VARIABLE))
    assert b"hush" not in pickled
    assert pickle.loads(pickled).secret == ""
    monkeypatch.setenv(VARIABLE, "from-there")
    assert pickle.loads(pickled).secret == "from-there"


def test_a_copy_in_memory_keeps_it():
    assert copy.deepcopy(Token("hush-hush", VARIABLE)).secret == "hush-hush"
