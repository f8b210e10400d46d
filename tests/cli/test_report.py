import json
import os
import re

import pytest
from support.many_runs import make_runs

from green_callbacks.cli.output_files import replace_whole
from green_callbacks.errors import ConfigurationError


def inlined(path):
    html = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])


def test_a_page_of_all_runs_with_details_and_stops(command, ledger, tmp_path):
    ledger("one")
    folder, output = ledger("two").parent, tmp_path / "report.html"

    status, out, err = command("report", folder, "-o", output)

    assert (status, err) == (0, "")
    assert out.startswith(f"Wrote 2 runs into {output} (")
    data = inlined(output)
    rows, keys = data["runs"]["runs"], {row["key"] for row in data["runs"]["runs"]}
    assert len(keys) == 2
    assert [row["g"] for row in rows] == [65.0, 65.0]
    assert data["runs"]["totals"]["g"] == 130.0
    assert (data["runs"]["read"], data["runs"]["of"]) == (2, 2)
    assert data["runs"]["written_at"]
    assert set(data["details"]) == set(data["stops"]["marginal-gain"]) == keys
    assert data["details"][rows[0]["key"]]["epoch"] == list(range(12))
    assert data["zones"]["zones"][0][0] == "WORLD"


def test_rules_and_a_title_by_choice(command, ledger, tmp_path):
    folder, output = ledger("one").parent, tmp_path / "report.html"

    command("report", folder, "-o", output, "--rule", "budget=20 g", "--rule", "marginal-gain", "--title", "A <title>")

    stops = inlined(output)["stops"]
    assert list(stops) == ["budget=20 g", "marginal-gain"]
    assert next(iter(stops["budget=20 g"].values()))["stops"] is True
    assert "<title>A &lt;title&gt;</title>" in output.read_text(encoding="utf-8")


def test_groups_by_a_label_stand_before_the_table_of_runs(command, ledger, tmp_path):
    folder, output = ledger("one", labels={"method": "<b>a"}).parent, tmp_path / "report.html"
    ledger("two", labels={"method": "b"})

    status, _, err = command("report", folder, "-o", output, "--group-by", "method")

    html = output.read_text(encoding="utf-8")
    assert (status, err) == (0, "")
    assert html.index("<h2>Groups by method</h2>") < html.index('id="rows"')
    assert "&lt;b&gt;a</label>" in html
    assert len(inlined(output)["runs"]["runs"]) == 2


def test_groups_by_an_unknown_label_write_nothing(command, ledger, tmp_path):
    output = tmp_path / "report.html"
    status, _, err = command("report", ledger("one").parent, "-o", output, "--group-by", "way")
    assert status == 2
    assert "No run has the label way. Group by folder, or by a label of these runs (none)." in err
    assert not output.exists()


def test_stops_and_savings_are_those_of_replay(command, ledger, tmp_path):
    path, output = ledger("one"), tmp_path / "report.html"
    command("report", path.parent, "-o", output, "--rule", "budget=20 g")
    _, replayed, _ = command("replay", path, "--policy", "budget=20 g")

    stop = next(iter(inlined(output)["stops"]["budget=20 g"].values()))

    assert f"After {stop['epoch']} of {stop['of']} epochs" in replayed
    assert f"{stop['saved_g']:.1f} g" in replayed


def test_a_run_without_a_metric_says_why_a_rule_does_not_stop_it(command, ledger, tmp_path):
    folder, output = ledger("one", metrics=None).parent, tmp_path / "report.html"
    status, _, err = command("report", folder, "-o", output)
    assert (status, err) == (0, "")
    (stop,) = inlined(output)["stops"]["marginal-gain"].values()
    assert not stop["stops"]
    assert "has no metric at all. Name its metric" in stop["text"]


def test_a_page_beside_an_unreadable_ledger_says_so_and_waits_for_nothing(command, ledger, tmp_path):
    folder, output = ledger("one").parent, tmp_path / "report.html"
    (folder / "later.jsonl").write_text('{"type":"run","schema":999,"run_id":"later"}\n')

    status, _, err = command("report", folder, "-o", output)

    runs = inlined(output)["runs"]
    assert status == 0
    assert "later.jsonl" in err
    assert len(runs["runs"]) == 1
    assert runs["read"] == runs["of"]
    assert runs["texts"]["read"] == "run"


def test_several_folders_tell_their_runs_apart(command, ledger, tmp_path):
    first = ledger("same")
    second = tmp_path / "other" / "same.jsonl"
    second.parent.mkdir()
    first.rename(second)
    ledger("same")
    output = tmp_path / "report.html"

    status, _, _ = command("report", first.parent, second.parent, "-o", output)

    rows = inlined(output)["runs"]["runs"]
    assert status == 0
    assert len({row["key"] for row in rows}) == 2
    assert {row["path"] for row in rows} == {"runs/same.jsonl", "other/same.jsonl"}
    assert {row["name"].partition("/")[0] for row in rows} == {"runs", "other"}


def test_a_folder_named_twice_shows_each_run_once(command, ledger, tmp_path):
    folder, output = ledger("one").parent, tmp_path / "report.html"
    status, _, err = command("report", folder, folder, "-o", output)
    assert status == 0
    assert len(inlined(output)["runs"]["runs"]) == 1
    assert "counts once" in err


def test_killed_and_rare_runs(command, tmp_path):
    make_runs(tmp_path / "logs", 20, 6, killed=0.2, has_events=False)
    output = tmp_path / "report.html"

    status, _, err = command("report", tmp_path / "logs", "-o", output)

    states = [row["state"] for row in inlined(output)["runs"]["runs"]]
    assert status == 0
    assert {state: states.count(state) for state in states} == {"running": 1, "killed": 3, "closed": 16}
    assert "1 of 20 runs has no known energy" in err


@pytest.mark.parametrize("name", ["none", "empty"])
def test_a_folder_without_a_ledger_is_refused(command, tmp_path, name):
    (tmp_path / "empty").mkdir()
    status, out, err = command("report", tmp_path / name, "-o", tmp_path / "report.html")
    assert (status, out) == (2, "")
    assert err.startswith("green-callbacks: There is no ")
    assert not (tmp_path / "report.html").exists()


def test_a_wrong_rule_is_refused_before_anything_is_read(command, tmp_path):
    status, _, err = command("report", tmp_path / "none", "-o", tmp_path / "report.html", "--rule", "sometimes")
    assert status == 2
    assert "Cannot read 'sometimes' as a policy" in err


def test_a_ledger_is_never_written_over(command, ledger):
    path = ledger("one")
    before = path.read_bytes()
    status, _, err = command("report", path.parent, "-o", path)
    assert status == 2
    assert "must not be overwritten" in err
    assert path.read_bytes() == before


def test_a_folder_that_does_not_exist_is_named(command, ledger, tmp_path):
    output = tmp_path / "none" / "report.html"
    status, out, err = command("report", ledger("one").parent, "-o", output)
    assert (status, out) == (2, "")
    assert f"{output} cannot be written" in err


def test_a_report_replaces_an_older_one_in_one_step(tmp_path):
    output = tmp_path / "report.html"
    output.write_bytes(b"old")
    output.chmod(0o640)
    inode = output.stat().st_ino

    replace_whole(output, b"new")

    assert output.read_bytes() == b"new"
    assert output.stat().st_ino != inode
    assert output.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link.html").symlink_to("report.html")
    replace_whole(tmp_path / "link.html", b"new")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "report.html").read_bytes() == b"new"


def test_a_full_disk_keeps_the_older_report(tmp_path, monkeypatch):
    output = tmp_path / "report.html"
    output.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(ConfigurationError, match=r"report\.html cannot be written \(No space left on device\)"):
        replace_whole(output, b"new")
    assert output.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
