"""TensorBoard itself, in processes of their own, serves the tab, and comes up whatever befalls the tab."""

import json
import time

import pytest
from support.carbon_tab import PREFIX, fetch, make_run, tensorboard

from green_callbacks.page.assets import ASSETS

BREAKS = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise {fault}
sys.meta_path.insert(0, Finder())
"""


def listing(address):
    return json.loads(fetch(f"{address}/data/plugins_listing")[1])


def runs(address):
    status, content = fetch(f"{address}{PREFIX}/runs")
    assert status == 200, content
    return json.loads(content)


@pytest.mark.parametrize("load_fast", ["true", "false"])
def test_the_tab_is_there_with_either_reader_of_tensorboard(logs, load_fast):
    with tensorboard("--logdir", str(logs), "--load_fast", load_fast) as board:
        assert listing(board.address)["green_callbacks"]["enabled"] is True
        assert {row["name"] for row in runs(board.address)["runs"]} == {"first", "second"}
        for name in ASSETS:
            assert fetch(f"{board.address}{PREFIX}/{name}")[0] == 200


def test_only_ledgers_make_the_carbon_tab_the_only_active_tab(logs):
    with tensorboard("--logdir", str(logs)) as board:
        enabled = {name for name, listed in listing(board.address).items() if listed["enabled"]}
        assert enabled == {"green_callbacks"}


def test_a_path_prefix_stands_before_every_route(logs):
    with tensorboard("--logdir", str(logs), "--path_prefix", "/lab/board") as board:
        root = board.address if board.address.endswith("/lab/board") else f"{board.address}/lab/board"
        listed = listing(root)["green_callbacks"]
        assert listed["loading_mechanism"]["module_path"] == f"/lab/board{PREFIX}/entry.js"
        assert runs(root)["of"] == 2


def test_an_empty_log_folder_has_a_tab_that_says_so(tmp_path):
    with tensorboard("--logdir", str(tmp_path)) as board:
        assert listing(board.address)["green_callbacks"]["enabled"] is False
        assert runs(board.address)["said"][0].startswith("There is no ledger")


def test_loops_of_links_end(logs):
    (logs / "first/loop").symlink_to(logs)
    (logs / "self").symlink_to(logs / "self")
    with tensorboard("--logdir", str(logs)) as board:
        assert runs(board.address)["of"] == 2


def test_a_run_that_begins_later_appears(tmp_path):
    with tensorboard("--logdir", str(tmp_path)) as board:
        assert runs(board.address)["of"] == 0
        make_run(tmp_path / "late/run-c.jsonl")
        deadline = time.monotonic() + 30.0
        while runs(board.address)["read"] == 0:
            assert time.monotonic() < deadline, "the run did not appear"
            time.sleep(0.1)
        assert listing(board.address)["green_callbacks"]["enabled"] is True


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("green_callbacks.page.collection", "ImportError('no such name')"),
        ("green_callbacks.tensorboard_plugin.plugin", "SystemExit(1)"),
        ("green_callbacks.ledger", "SyntaxError('bad')"),
    ],
)
def test_a_module_of_ours_that_fails_leaves_tensorboard_up(logs, site, name, fault):
    (site / "sitecustomize.py").write_text(BREAKS.format(name=name, fault=fault))
    with tensorboard("--logdir", str(logs), before=[site]) as board:
        assert "green_callbacks" not in listing(board.address)
        assert fetch(f"{board.address}{PREFIX}/runs")[0] == 404
    log = "".join(board.log)
    assert log.count("TensorBoard starts without the tab Carbon") == 1
    assert "Traceback" not in log
