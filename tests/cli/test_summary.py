import csv
import json
import random
import sys
import time
from datetime import datetime, timedelta
from io import StringIO

import pytest
from support.many_runs import make_runs
from support.runs import scripted, train

from green_callbacks.cli import progress
from green_callbacks.ledger import Head, Lines, ledgers_of, read_ledger
from green_callbacks.ledger.index import ledger_index

WH = 300.0 / 60  # of a minute
TOTAL_WH = 13 * WH


def lines(text):
    """The words of each line of the table."""
    table = text[text.index("\n\nrun ") + 2 :] if "\n\nrun " in text else text
    return [line.split() for line in table.splitlines()]


def test_one_ledger_gives_the_summary_of_its_run(command, ledger):
    path = ledger("one")

    status, out, err = command("summary", path)

    assert (status, err) == (0, "")
    assert "Ended after 12 epochs in 13 min 0 s" in out
    assert f"{TOTAL_WH:.1f} Wh" in out
    assert f"{TOTAL_WH:.1f} g CO2e" in out
    assert "PUE 1.00 (argument)" in " ".join(out.split())
    assert "point of val_acc" in out
    assert str(path) in out


def test_it_is_what_the_run_itself_would_have_said(command, ledger):
    from green_callbacks import MarginalGain, Summary

    said = []
    path = ledger("one", policies=[MarginalGain("val_acc")], sinks=[Summary(said.append)])

    _, out, _ = command("summary", path)

    assert out.split("\n\n", 1)[1].split() == said[0].split()


def test_several_stand_side_by_side_with_their_sum(command, ledger):
    first, second = ledger("first"), ledger("second", epochs=3, location="DE", carbon_intensity=None)

    status, out, _ = command("summary", first, second)

    assert status == 0
    head, _, one, other, both = lines(out)[:5]
    assert head == ["run", "epochs", "time", "kWh", "g", "CO2e", "at", "world's", "place", "best"]
    assert one[1:7] == ["12", "13", "min", "0", "s", "0.0650"]
    assert one[-2:] == ["val_acc", "0.8998"]
    assert other[1:7] == ["3", "4", "min", "0", "s", "0.0200"]
    assert "Germany (DE)" in out
    assert both[:9] == ["2", "runs", "15", "17", "min", "0", "s", "0.0850", "71.6"]
    assert both[9] == "39.0"  # as much at the world's average


def test_a_folder_stands_for_all_its_ledgers(command, ledger):
    ledger("a")
    folder = ledger("b").parent
    (folder / "notes.txt").write_text("not a ledger")

    status, out, _ = command("summary", folder)

    assert status == 0
    assert "2 runs" in out


def test_a_folder_without_ledgers_is_refused(command, tmp_path):
    status, _, err = command("summary", tmp_path)
    assert status == 2
    assert "There is no ledger (*.jsonl)" in err


def test_a_killed_run_counts_up_to_its_last_record(command, ledger, capsys):
    path = ledger("killed")
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-3]) + whole[-3][:40])  # in the middle of a line, and never closed

    status, out, _ = command("summary", path)

    assert status == 0
    finished = sum(line.startswith(b'{"type":"record"') for line in whole[:-3])
    assert f"{finished} epochs" in out


def test_a_run_killed_at_once_is_still_a_row(command, ledger):
    path = ledger("killed")
    path.write_bytes(path.read_bytes()[:10])

    status, out, _ = command("summary", path, ledger("whole"))

    assert status == 0
    assert lines(out)[2] == ["killed", "0", "0.00", "s", "-", "-", "-", "-", "-"]


def test_the_metric_is_as_asked_for(command, ledger):
    metrics = {"metrics": lambda epoch: {"val_acc": 0.5, "train_loss": 1 / (epoch + 1), "x": float(epoch)}}
    both = ledger("one", **metrics), ledger("two", **metrics)

    assert "train_loss 0.08333" in command("summary", *both, "--monitor", "train_loss")[1]
    assert "x 11.00" in command("summary", *both, "--monitor", "x", "--mode", "max")[1]
    assert "x 0.000" in command("summary", *both, "--monitor", "x", "--mode", "min")[1]


def test_a_metric_that_does_not_tell_its_mode_is_asked_about_only_where_it_was_named(command, ledger):
    path = ledger("one", metrics=lambda epoch: {"val_x": float(epoch)})

    assert command("summary", path)[0] == 0
    status, _, err = command("summary", path, "--monitor", "val_x")
    assert status == 2
    assert "Add --mode max or --mode min" in err


@pytest.mark.parametrize("metric", [float("nan"), float("inf")])
def test_a_metric_without_a_finite_value_has_no_best(command, ledger, metric):
    options = {"epochs": 2, "metrics": lambda epoch: {"val_acc": metric}}

    assert lines(command("summary", ledger("one", **options), ledger("two", **options))[1])[2][-1] == "-"


@pytest.fixture
def many(tmp_path, monkeypatch):
    """40 runs, of which 4 have no end and one has no energy."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "logs"
    make_runs(folder, 40, 4, has_events=False, killed=0.08, distinct=20)
    return folder


def data(command, *argv):
    status, out, _ = command("summary", *argv, "--format", "json")
    assert status == 0
    return json.loads(out)


def test_many_runs_fit_on_a_screen_and_the_first_lines_fit_into_a_report(command, many):
    status, out, err = command("summary", many)
    assert (status, len(out.splitlines()) <= 32) == (0, True)
    labels = [line[:12].strip() for line in out.splitlines()[:8]]
    assert [label for label in labels if label] == ["Runs", "Period", "Energy", "Emissions", "Reference", "As much as"]
    assert "40, of which 4 were killed or still run" in out
    assert "UTC" in out.splitlines()[1]
    assert "location-based" in out
    assert "was measured. 1 run has no energy." in " ".join(out.split())
    assert "… and 28 more runs" in out
    assert "ledgers are damaged and count in part" in err


@pytest.mark.parametrize(("zone", "shown"), [("UTC", "UTC"), ("IST-5:30", "UTC+05:30"), ("EST5", "UTC-05:00")])
def test_times_stand_in_the_zone_of_the_machine(command, many, monkeypatch, zone, shown):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    period = command("summary", many)[1].splitlines()[1]
    monkeypatch.undo()
    time.tzset()
    assert period.endswith(f" {shown}")
    assert period.count(f"{shown} to ") == 1


def test_the_shown_runs_are_those_with_the_most_emissions(command, many):
    found = lines(command("summary", many, "--top", "3")[1])
    kg = {path.stem: read_ledger(path).history.emissions_kg for path in ledgers_of(many)}
    most = sorted(kg, key=lambda name: -kg[name])[:3]
    assert [kg[line[0]] for line in found[2:5]] == [kg[name] for name in most]
    assert found[5][:5] == ["…", "and", "37", "more", "runs"]
    assert found[6][:2] == ["40", "runs"]


def test_a_second_look_says_the_same_from_the_index(command, many, monkeypatch):
    monkeypatch.setattr(ledger_index, "_WORTH_BYTES", 1)
    monkeypatch.setattr(ledger_index, "_SETTLED_NS", -1)
    first = command("summary", many)
    assert (many / ".green-callbacks" / "totals.jsonl").exists()
    monkeypatch.setattr("green_callbacks.ledger.index.ledger_entry.read_quietly", None)
    assert command("summary", many) == first
    assert data(command, many)["total"]["runs"] == 40


def test_json_and_csv_hold_all_runs_in_plain_units(command, many):
    said = data(command, many)
    assert len(said["runs"]) == said["total"]["runs"] == 40
    assert said["total"]["killed_or_running"] == 4
    kg = {path.stem: read_ledger(path).history for path in ledgers_of(many)}
    for each in said["runs"]:
        history = kg[each["run_id"]]
        expected = (history.energy_joules is not None and history.emissions_kg) or None
        assert each["emissions_kg"] == expected
        assert each["labels"] == {"project": "digits"}
    total = sum(each["counted_emissions_kg"] or 0.0 for each in said["runs"])
    assert said["total"]["emissions_kg"] == pytest.approx(total, rel=1e-12)
    status, out, _ = command("summary", many, "--format", "csv")
    rows = list(csv.DictReader(StringIO(out)))
    assert (status, len(rows)) == (0, 40)
    for row, each in zip(rows, said["runs"], strict=True):
        assert row["run_id"] == each["run_id"]
        assert row["emissions_kg"] == ("" if each["emissions_kg"] is None else str(each["emissions_kg"]))
        assert row["label:project"] == "digits"


@pytest.mark.parametrize("by", ["host", "zone", "day", "month", "project"])
def test_groups_add_up_to_the_whole(command, many, by):
    said = data(command, many, "--group-by", by)
    assert said["grouped_by"] == by
    for name in ("runs", "killed_or_running", "epochs", "emissions_kg", "facility_kwh"):
        parts = sum(each[name] or 0 for each in said["groups"])
        assert parts == pytest.approx(said["total"][name], rel=1e-12)
    status, out, _ = command("summary", many, "--group-by", by)
    assert (status, f"{by} " in out) == (0, True)
    assert command("summary", many, "--group-by", by, "--format", "csv")[1].startswith(f"{by},runs,")


def test_a_label_may_have_the_name_of_a_sum(command, tmp_path):
    for run_id, labels in {"a": {"epochs": "5"}, "b": {"epochs": "10"}, "c": {}}.items():
        (tmp_path / f"{run_id}.jsonl").write_bytes(Lines().head(Head(run_id=run_id, version="1", labels=labels)))
    _, out, _ = command("summary", tmp_path, "--group-by", "epochs", "--format", "csv")
    rows = list(csv.DictReader(StringIO(out)))
    assert {(row["label:epochs"], row["epochs"]) for row in rows} == {("5", "0"), ("10", "0"), ("", "0")}


def test_groups_of_time_stand_in_order_and_the_rest_in_one_row(command, many):
    said = command("summary", many, "--group-by", "month", "--top", "2")[1]
    rows = [line for line in said.splitlines() if line[:2] in ("20", "19")]
    assert len(rows) == 2
    assert rows == sorted(rows)
    assert "more group" in said


def test_a_label_goes_before_a_built_in_name_and_an_unknown_label_is_refused(command, many, ledger):
    assert [each["group"] for each in data(command, many, "--group-by", "project")["groups"]] == ["digits"]
    status, _, err = command("summary", many, "--group-by", "team")
    assert (status, "No run has the label team" in err, "(project)" in err) == (2, True, True)
    ledger("a", labels={"team": "vision"})
    folder = ledger("b").parent
    groups = {each["group"]: each["runs"] for each in data(command, folder, "--group-by", "team")["groups"]}
    assert groups == {"vision": 1, "-": 1}


def test_projects_are_folders(command, ledger, tmp_path):
    for name in ("one", "two"):
        deep = tmp_path / "all" / name / "green-callbacks" / f"{name}.jsonl"
        deep.parent.mkdir(parents=True)
        ledger(name).rename(deep)
    folders = [tmp_path / "all" / name for name in ("one", "two")]
    below = [each["group"] for each in data(command, tmp_path / "all", "--group-by", "project")["groups"]]
    named = [each["group"] for each in data(command, *folders, "--group-by", "project")["groups"]]
    assert (below, named) == (["one", "two"], list(map(str, folders)))
    alone = data(command, folders[0], "--group-by", "project")
    assert [each["group"] for each in alone["groups"]] == [str(folders[0])]


def test_since_counts_runs_that_ended_later(command, ledger):
    folder = ledger("old").parent
    accountant, clock = scripted(ledger=folder / "new.jsonl")
    clock.advance(10 * 86_400.0)
    with accountant:
        train(accountant, clock, range(3), seconds=60.0)
    ended = [each["ended_at"] for each in data(command, folder)["runs"]]
    between = min(datetime.fromisoformat(each) for each in ended) + timedelta(days=1)
    said = data(command, folder, "--since", between.isoformat())
    assert [each["run_id"] for each in said["runs"]] == ["new"] or said["total"]["runs"] == 1
    status, out, _ = command("summary", folder, "--since", between.isoformat())
    assert (status, "all runs that ended since" in out) == (0, True)


def test_since_knows_ages_and_refuses_other_texts(command, ledger):
    folder = ledger("old").parent
    for age in ("12h", "7d", "2w"):
        status, _, err = command("summary", folder, "--since", age)
        if status:
            assert "No run has ended since" in err
    for wrong in ("yesterday", "7 days", "", "9999999w"):
        with pytest.raises(SystemExit):
            command("summary", folder, "--since", wrong)


def test_since_says_which_runs_have_no_time(command, ledger):
    path = ledger("killed")
    path.write_bytes(path.read_bytes()[:10])
    ledger("whole")
    status, _, err = command("summary", path.parent, "--since", "2020-01-01")
    assert (status, "1 run has no record" in err) == (0, True)


def test_top_is_for_text_only(command, many):
    status, _, err = command("summary", many, "--top", "3", "--format", "csv")
    assert (status, "--top is only for --format text" in err) == (2, True)


def test_one_run_as_data_is_a_list_of_one(command, ledger):
    said = data(command, ledger("one"))
    assert [each["epochs"] for each in said["runs"]] == [12]
    assert said["runs"][0]["facility_kwh"] == pytest.approx(TOTAL_WH / 1000)
    assert said["world_g_per_kwh"] == 458.3


def test_a_copy_counts_once_and_is_said(command, ledger):
    path = ledger("one")
    path.with_name("copy.jsonl").write_bytes(path.read_bytes())
    ledger("two")
    status, _, err = command("summary", path.parent, "--top", "5")
    assert (status, "2 files hold the run" in err) == (0, True)
    assert data(command, path.parent)["total"]["runs"] == 2


def test_the_best_value_of_a_named_metric_counts_all_copies(command, ledger):
    path = ledger("run", 4)
    copy = path.with_name("elsewhere.jsonl")
    copy.write_bytes(path.read_bytes())
    for each, value in ((path, 0.91), (copy, 0.97)):
        accountant, clock = scripted(ledger=each)
        clock.advance(1000.0 * value)
        with accountant:
            train(accountant, clock, range(4, 5), seconds=60.0, metrics=lambda _, value=value: {"val_acc": value})
    said = data(command, path.parent, "--monitor", "val_acc")
    assert [each["best"] for each in said["runs"]] == [0.97]


def test_a_folder_of_unreadable_ledgers_says_why(command, ledger):
    path = ledger("old")
    path.write_bytes(path.read_bytes().replace(b'"schema":2', b'"schema":1', 1))
    status, _, err = command("summary", path.parent)
    assert (status, "There is no ledger" in err, "schema 1" in err) == (2, True, True)
    status, _, err = command("summary", path, ledger("new"))
    assert (status, "schema 1" in err) == (2, True)


def test_control_characters_of_labels_and_hosts_reach_no_terminal(command, ledger):
    path = ledger("one", labels={"team": "\x1b[31mred", "=x": "=1+1"})
    _, out, _ = command("summary", path, "--group-by", "team")
    assert "\x1b" not in out
    _, out, _ = command("summary", path, "--format", "csv")
    assert "\x1b" not in out
    assert "'=1+1" in out


def test_a_bar_appears_on_a_terminal_after_a_second(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    times = iter([0.0, 0.5, 1.2, 1.25, 1.5])
    monkeypatch.setattr(progress, "monotonic", lambda: next(times))
    assert list(progress.watched([1, 2, 3, 4], "ledgers")) == [1, 2, 3, 4]
    said = capsys.readouterr().err
    assert said.count("ledgers") == 2
    assert "1 of 4 ledgers" in said
    assert said.endswith("\r")


def test_no_bar_reaches_a_file_or_a_closed_stream(monkeypatch, capsys):
    assert list(progress.watched(range(3), "ledgers")) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys, "stderr", None)
    assert list(progress.watched(range(3), "ledgers")) == [0, 1, 2]


def test_named_files_have_their_index_in_the_cache(command, many, tmp_path, monkeypatch):
    monkeypatch.setattr(ledger_index, "_WORTH_BYTES", 1)
    monkeypatch.setattr(ledger_index, "_SETTLED_NS", -1)
    paths = ledgers_of(many)
    random.Random(0).shuffle(paths)
    assert data(command, *paths)["total"]["runs"] == 40
    assert len(list((tmp_path / "cache" / "green-callbacks").iterdir())) == 1
    assert not (many / ".green-callbacks").exists()
