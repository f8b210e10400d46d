"""Two hundred processes that start together ask a service three times at most, and all get the answer."""

import os
import subprocess
import sys
import time

import pytest
from support.grid_answers import uk_now
from support.local_server import Question, reply, reply_json

SCRIPT = """
import os, sys
from datetime import UTC, datetime
import httpx2, platformdirs, tenacity
from green_callbacks.carbon import UkCarbonIntensity
from green_callbacks.carbon import lookup
from green_callbacks.clock import ScriptedClock

lookup("GB")  # the tables are read once, and not by every process

noon = datetime(2025, 6, 1, 12, tzinfo=UTC)
starting, start = os.pipe()

def process():
    os.close(start)
    os.read(starting, 1)  # until all are there
    provider = UkCarbonIntensity(base_url=sys.argv[1], cache=sys.argv[2], clock=ScriptedClock(noon))
    for _ in range(10):  # a slow machine may need more than the first
        provider.poll()
    os._exit("static" in provider.at(noon).flags)

children = [os.fork() or process() for _ in range(200)]
os.close(start)
print(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are made by forking")


def processes(url: str, cache: str) -> tuple[int, str]:
    """Run them; return how many got no answer, and what they wrote."""
    command = [sys.executable, "-c", SCRIPT, url, cache]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return int(done.stdout), done.stderr


def test_all_get_the_answer(server, tmp_path):
    answer = reply_json(uk_now())

    def after_a_while(question: Question) -> None:
        time.sleep(0.2)  # so that all the others come while one asks
        answer(question)

    server.answer = after_a_while
    assert processes(server.url, str(tmp_path)) == (0, "")
    assert 1 <= len(server.questions) <= 3
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


def test_a_service_that_is_down_is_not_asked_by_all(server, tmp_path):
    server.answer = reply(b"", 404)
    without, written = processes(server.url, str(tmp_path))
    assert without == 200
    assert written.count("HTTP 404") == len(written.splitlines()) == 200  # one warning each, and nothing else
    assert 1 <= len(server.questions) <= 3
