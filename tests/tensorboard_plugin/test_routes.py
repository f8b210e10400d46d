"""The routes of the tab, in this process."""

import gzip
import json
import logging
import os
import threading
from types import SimpleNamespace

import pytest
from support.carbon_tab import make_run
from tensorboard.errors import PublicError

from green_callbacks.page import collection
from green_callbacks.page.assets import ASSETS
from green_callbacks.tensorboard_plugin import ledger_answers
from green_callbacks.tensorboard_plugin.details import WholeLedgers


class Provider:
    """TensorBoard's reader of event files, which knows the names of runs."""

    def __init__(self, *names, fault=None):
        self.names, self.fault = names, fault

    def list_runs(self, _context, *, experiment_id):
        assert experiment_id == ""
        if self.fault:
            raise self.fault
        return [SimpleNamespace(run_name=name) for name in self.names]

    def list_scalars(self, _context, **_options):
        return {}

    def list_plugins(self, _context, *, experiment_id):
        return []


def test_all_runs_of_a_folder_are_shown(logs, open_tab):
    runs = open_tab(logdir=str(logs)).json("/runs")
    assert (runs["read"], runs["of"], runs["source"], runs["said"]) == (2, 2, "ledgers", [])
    assert {row["name"]: row["epochs"] for row in runs["runs"]} == {"first": 3, "second": 5}
    assert all(row["state"] == "closed" for row in runs["runs"])


def test_the_tab_is_listed_with_its_name_and_its_module(logs, open_tab):
    tab = open_tab(logdir=str(logs))
    listed = tab._client.get("/data/plugins_listing").json["green_callbacks"]
    assert listed["enabled"] is True
    assert listed["tab_name"] == "Carbon"
    assert listed["loading_mechanism"] == {"type": "IFRAME", "module_path": "/data/plugin/green_callbacks/entry.js"}
    assert tab.plugin.data_plugin_names() == ()


def test_runs_have_the_names_of_tensorboard(logs, open_tab):
    ids = {row["name"]: row["id"] for row in open_tab(logdir=str(logs)).json("/runs")["runs"]}
    known = {"first", f"second/{ids['second']}"}
    tab = open_tab(logdir=str(logs), data_provider=Provider("other", *known))
    assert {row["name"] for row in tab.json("/runs")["runs"]} == known


@pytest.mark.parametrize("fault", [PublicError("gone"), RuntimeError("boom"), OSError("closed")])
def test_without_names_the_folders_give_them_and_that_is_said_once(logs, open_tab, fault, caplog):
    tab = open_tab(logdir=str(logs), data_provider=Provider(fault=fault))
    for _ in range(3):
        assert {row["name"] for row in tab.json("/runs")["runs"]} == {"first", "second"}
    assert len([each for each in caplog.records if "names of its runs" in each.getMessage()]) == 1


def test_an_empty_folder_says_so_and_the_tab_is_inactive(tmp_path, open_tab):
    tab = open_tab(logdir=str(tmp_path))
    assert tab.plugin.is_active() is False
    runs = tab.json("/runs")
    assert runs["runs"] == []
    assert runs["said"] == [
        f"There is no ledger in or below {tmp_path}. Train with a callback of green_callbacks first."
    ]


def test_a_missing_folder_says_so(tmp_path, open_tab):
    said = open_tab(logdir=str(tmp_path / "missing")).json("/runs")["said"]
    assert said[0].startswith("There is no folder")


def test_the_tab_stays_active_once_it_was(logs, open_tab):
    tab = open_tab(logdir=str(logs))
    assert tab.plugin.is_active() is True
    for path in logs.rglob("*.jsonl"):
        path.unlink()
    assert tab.plugin.is_active() is True


def test_the_home_folder_is_known(logs, open_tab, monkeypatch):
    monkeypatch.setenv("HOME", str(logs.parent))
    assert open_tab(logdir="~/logs").json("/runs")["of"] == 2


def test_a_run_comes_by_its_key_alone(logs, open_tab):
    tab = open_tab(logdir=str(logs))
    key = tab.json("/runs")["runs"][0]["key"]
    assert tab.get(f"/run?key={key}").status_code == 200
    for other in ("", "?key=", "?key=..%2F..%2Fetc%2Fpasswd", "?key=/etc/passwd", "?key=%ff%00", "?path=x"):
        answer = tab.get(f"/run{other}")
        assert answer.status_code == 404
        assert answer.json["error"].startswith("There is no run with this key.")


def test_a_run_is_found_before_the_list_was_asked_for(logs, open_tab):
    key = open_tab(logdir=str(logs)).json("/runs")["runs"][0]["key"]
    assert open_tab(logdir=str(logs)).get(f"/run?key={key}").status_code == 200


def test_a_rule_that_cannot_be_read_is_refused_in_a_sentence(logs, open_tab):
    tab = open_tab(logdir=str(logs))
    key = tab.json("/runs")["runs"][0]["key"]
    for rule in ("", "no-such-rule", "budget=%3Cscript%3E"):
        answer = tab.get(f"/stop?key={key}&rule={rule}")
        assert answer.status_code == 400
        assert answer.json["error"].endswith(".")
    assert tab.get("/stop?key=x&rule=marginal-gain").status_code == 404


def test_a_rule_is_replayed_once(logs, open_tab, monkeypatch):
    tab = open_tab(logdir=str(logs))
    key = tab.json("/runs")["runs"][0]["key"]
    first = tab.get(f"/stop?key={key}&rule=marginal-gain")
    assert first.status_code == 200
    monkeypatch.setattr(WholeLedgers, "contents", lambda *_: pytest.fail("read again"))
    assert tab.get(f"/stop?key={key}&rule=marginal-gain").data == first.data


def test_every_file_of_the_page_has_a_route_and_its_own_type(logs, open_tab):
    tab = open_tab(logdir=str(logs))
    for name, asset in ASSETS.items():
        answer = tab.get(f"/{name}")
        assert answer.data == asset.path.read_bytes()
        assert answer.headers["Content-Type"] == asset.mime
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "route",
    ["/../plugin.py", "/%2e%2e/plugin.py", "/vendor/../../assets.py", "/assets.py", "/", "/vendor", "//etc/passwd"],
)
def test_no_other_file_has_a_route(logs, open_tab, route):
    assert open_tab(logdir=str(logs)).get(route).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("route", ["/runs", "/run", "/stop", "/zones", "/index.js"])
def test_other_methods_are_refused(logs, open_tab, method, route):
    answer = open_tab(logdir=str(logs)).get(route, method)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert "error" in answer.json


def test_heads_have_no_content(logs, open_tab):
    answer = open_tab(logdir=str(logs)).get("/runs", "HEAD")
    assert answer.status_code == 200
    assert answer.data == b""


def test_what_a_browser_has_is_not_sent_again(logs, open_tab):
    tab = open_tab(logdir=str(logs))
    for route in ("/runs", "/zones", "/index.js"):
        first = tab.get(route)
        tag = first.headers["ETag"]
        assert first.headers["Cache-Control"] == "no-cache, must-revalidate"
        again = tab.get(route, headers={"If-None-Match": tag})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
        # TensorBoard logs two warnings for each response without these.
        assert again.headers["Content-Type"] == first.headers["Content-Type"]
        assert again.headers["X-Content-Type-Options"] == "nosniff"
        assert tab.get(route, headers={"If-None-Match": 'W/"other"'}).status_code == 200


def test_answers_are_compressed_for_those_who_take_it(logs, open_tab):
    tab = open_tab(logdir=str(logs))
    packed = tab.get("/runs", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == tab.get("/runs").data


def test_a_fault_of_ours_is_a_sentence_and_one_line(logs, open_tab, monkeypatch, caplog):
    tab = open_tab(logdir=str(logs))

    def boom(*_, **__):
        msg = "boom"
        raise ArithmeticError(msg)

    monkeypatch.setattr(ledger_answers, "runs_of", boom)
    with caplog.at_level(logging.INFO):
        answer = tab.get("/runs")
    assert answer.status_code == 500
    assert "ArithmeticError: boom" in answer.json["error"]
    (line,) = caplog.records
    assert "\n" not in line.getMessage()
    assert line.exc_info is None


def test_a_number_that_is_none_is_a_fault_and_no_wrong_json(logs, open_tab, monkeypatch):
    monkeypatch.setattr(ledger_answers, "row_of", lambda *_, **options: {"key": options["key"], "g": float("nan")})
    assert open_tab(logdir=str(logs)).get("/runs").status_code == 500


def test_a_disk_that_does_not_answer_is_a_sentence(logs, open_tab, monkeypatch):
    def late(*_):
        msg = "The disk does not answer."
        raise TimeoutError(msg)

    tab = open_tab(logdir=str(logs))
    key = tab.json("/runs")["runs"][0]["key"]
    monkeypatch.setattr(WholeLedgers, "contents", late)
    answer = tab.get(f"/run?key={key}")
    assert (answer.status_code, answer.json) == (503, {"error": "The disk does not answer."})


def test_a_ledger_that_became_unreadable_is_a_sentence(logs, open_tab):
    tab = open_tab(logdir=str(logs))
    row = tab.json("/runs")["runs"][0]
    (logs / row["path"]).unlink()
    answer = tab.get(f"/run?key={row['key']}")
    assert answer.status_code == 404
    assert row["path"] in answer.json["error"]


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "</script><script>", "a\nb", "\u202eabc", "ü" * 60, "\udcff\udcfe", '"};']
)
def test_hostile_names_are_plain_json(tmp_path, open_tab, name):
    make_run(tmp_path / os.fsdecode(os.fsencode(name).replace(b"/", b"-")) / "run-a.jsonl")
    answer = open_tab(logdir=str(tmp_path)).get("/runs")
    assert answer.headers["Content-Type"] == "application/json"
    (row,) = json.loads(answer.data)["runs"]
    assert answer.data.isascii()
    assert row["name"]


def test_the_rows_of_running_runs_are_made_anew_and_the_others_kept(logs, open_tab, monkeypatch):
    tab = open_tab(logdir=str(logs))
    tab.json("/runs")
    monkeypatch.setattr(ledger_answers, "row_of", lambda *_, **__: pytest.fail("a closed run was shown anew"))
    assert len(tab.json("/runs")["runs"]) == 2


def test_a_copied_run_is_shown_once_and_said(logs, open_tab):
    source = logs / "first/green-callbacks/run-a.jsonl"
    (logs / "copy.jsonl").write_bytes(source.read_bytes())
    runs = open_tab(logdir=str(logs)).json("/runs")
    assert len(runs["runs"]) == 2
    assert "hold the run" in runs["said"][0]


def test_many_runs_have_fewer_points_each(logs, open_tab, monkeypatch):
    make_run(logs / "long/run-c.jsonl", 300)
    asked = []
    real = ledger_answers.row_of

    def row_of(overview, **options):
        asked.append(options["most"])
        return real(overview, **options)

    monkeypatch.setattr(ledger_answers, "row_of", row_of)
    open_tab(logdir=str(logs)).json("/runs")
    monkeypatch.setattr(ledger_answers, "_FEWER_POINTS", ((2, 100), (5, 7)))
    runs = open_tab(logdir=str(logs)).json("/runs")["runs"]
    assert asked == [100] * 3 + [7] * 3
    assert 3 <= max(len(row["front"]["g"]) for row in runs) <= 7


def test_many_requests_while_runs_come_grow_and_go(tmp_path, open_tab, monkeypatch):
    monkeypatch.setattr(collection, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(collection, "_PAUSE_SHARE", 0.0)
    source = make_run(tmp_path / "source/a.jsonl", 40).read_bytes()
    tab, ends = open_tab(logdir=str(tmp_path)), threading.Event()
    seen, faults = [], []

    def ask():
        while not ends.is_set():
            answer = tab.get("/runs")
            seen.append(answer.status_code)
            key = answer.json["runs"][0]["key"] if answer.json["runs"] else "x"
            faults.extend(code for code in [tab.get(f"/run?key={key}").status_code] if code not in {200, 404})

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(60):
        path = tmp_path / f"{number % 7}.jsonl"
        if number % 3 == 2:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(source[: 600 + number * 700])
    ends.set()
    for thread in threads:
        thread.join(30.0)
    assert set(seen) == {200}
    assert faults == []
