"""Where no ledger can be reached, the tab shows TensorBoard's scalars, and says what is missing."""

import json
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from support.carbon_tab import PREFIX, fetch, tensorboard
from support.runs import scripted, train

from green_callbacks import CarbonBudget
from green_callbacks.ledger import read_ledger
from green_callbacks.sinks import TensorBoardSink
from green_callbacks.tensorboard_plugin.scalar_rows import TOTAL, ScalarRun

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def data(*values, step=1):
    return [SimpleNamespace(step=at * step, wall_time=1e9 + at, value=value) for at, value in enumerate(values)]


def run(most=1000, **series):
    names = {"total": TOTAL, "energy": "green/energy_wh", "measured": "green/measured_percent"}
    return ScalarRun.of("exp/a", {names.get(name, name): each for name, each in series.items()}, most)


def event_run(folder, epochs=4, metric="val_acc", **options):
    """Write the event file of a run, and its ledger elsewhere."""
    ledger = folder.parent / "ledgers" / f"{folder.name}.jsonl"
    accountant, clock = scripted(ledger=ledger, sinks=[TensorBoardSink(folder)], **options)
    with accountant:
        train(accountant, clock, range(epochs), metrics=lambda epoch: {metric: 0.5 + epoch / 100})
    return ledger


def test_a_row_has_what_scalars_tell_and_no_more():
    row = run(total=data(1.0, 3.0), energy=data(5.0, 10.0), measured=data(100.0, 40.0)).row(NOW)
    assert (row["name"], row["group"], row["state"]) == ("exp/a", "exp", "closed")
    assert (row["g"], row["kwh"]) == (3.0, 0.015)
    assert row["measured"] == pytest.approx(0.6)
    assert row["front"] == {"g": [], "q": [], "epoch": []}
    assert row["seconds"] is row["limit_g"] is row["stop"] is None
    for unknown in ("pue", "g_per_kwh", "zone", "facility_kwh", "low_g", "high_g", "metric"):
        assert row[unknown] is None


def test_sums_are_left_out_where_tensorboard_drops_values():
    row = run(most=3, total=data(1.0, 2.0, 3.0), energy=data(1.0, 1.0, 1.0), measured=data(9.0, 9.0, 9.0)).row(NOW)
    assert row["g"] == 3.0
    assert row["kwh"] is row["measured"] is row["began_at"] is None


def test_numbers_that_are_none_are_left_out():
    row = run(total=data(float("nan"), 2.0, float("inf")), energy=data(float("nan"))).row(NOW)
    assert row["g"] == 2.0
    assert row["kwh"] is None
    json.dumps(row, allow_nan=False)


def test_quality_comes_from_the_finer_curve_of_a_small_run():
    mg, ug = data(0.5, 0.7, step=3), data(0.5, 0.6, 0.7, step=1500)
    series = {"green/1_quality_by_mg_co2e": mg, "green_detail/quality_by_ug_co2e": ug}
    small = run(total=data(0.003), **series).row(NOW)
    assert small["front"] == {"g": [0.0, 0.0015, 0.003], "q": [0.5, 0.6, 0.7], "epoch": [None] * 3}
    assert (small["metric"], small["mode"], small["best"]) == ("quality", "max", 0.7)
    large = run(total=data(3.0), **series).row(NOW)
    assert large["front"]["g"] == [0.0, 0.003]


def test_a_falling_metric_has_a_falling_front():
    row = run(total=data(9.0), **{"green/1_loss_by_mg_co2e": data(0.9, 0.95, 0.4)}).row(NOW)
    assert (row["metric"], row["mode"], row["best"], row["front"]["q"]) == ("loss", "min", 0.4, [0.9, 0.4])


def test_only_the_limit_of_an_own_budget_is_told():
    own = {"green/budget_left_g": data(6.0), "green_detail/budget_share": data(0.4)}
    assert run(total=data(4.0), **own).row(NOW)["limit_g"] == pytest.approx(10.0)
    shared = {"green/budget_left_g": data(2.0), "green_detail/budget_share": data(0.8)}
    assert run(total=data(4.0), **shared).row(NOW)["limit_g"] is None


def test_a_run_by_its_epochs_adds_up():
    detail = run(total=data(1.0, 3.0, 6.0), energy=data(5.0, 10.0, 15.0), measured=data(100.0, 40.0)).detail()
    assert detail["measured"] == [1.0, 0.4, None]
    assert detail["g"] == [1.0, 2.0, 3.0]
    assert detail["total_kwh"] == [0.005, 0.015, 0.03]
    assert {len(detail[name]) for name in ("epoch", "g", "kwh", "q", "low_g", "measured")} == {3}


def wait_for_scalars(address):
    deadline = time.monotonic() + 20.0
    while True:
        runs = json.loads(fetch(f"{address}{PREFIX}/runs")[1])
        if len(runs["runs"]) == 2 or time.monotonic() > deadline:
            return runs
        time.sleep(0.2)


@pytest.mark.parametrize("load_fast", ["auto", "false"])
def test_a_spec_of_several_folders_shows_scalars_and_says_so(tmp_path, load_fast):
    ledger = event_run(tmp_path / "one", policies=[CarbonBudget("1 kg")])
    event_run(tmp_path / "two", metric="val_loss")
    spec = f"first:{tmp_path / 'one'},second:{tmp_path / 'two'}"
    with tensorboard("--logdir_spec", spec, "--load_fast", load_fast) as board:
        runs = wait_for_scalars(board.address)
        listed = json.loads(fetch(f"{board.address}/data/plugins_listing")[1])["green_callbacks"]
        key = runs["runs"][0]["key"]
        detail = json.loads(fetch(f"{board.address}{PREFIX}/run?key={key}")[1])
        status, refused = fetch(f"{board.address}{PREFIX}/stop?key={key}&rule=marginal-gain")
        missing = fetch(f"{board.address}{PREFIX}/run?key=x")[0]
    assert listed["enabled"] is True
    assert (runs["source"], runs["read"], runs["of"]) == ("scalars", 2, 2)
    rows = {row["name"]: row for row in runs["runs"]}
    assert set(rows) == {"first/.", "second/."}  # as TensorBoard names them
    history = read_ledger(ledger).history
    assert rows["first/."]["g"] == pytest.approx(history.emissions_kg * 1000, rel=1e-6)
    assert rows["first/."]["limit_g"] == pytest.approx(1000.0, rel=1e-4)
    assert (rows["first/."]["metric"], rows["second/."]["metric"]) == ("quality", "loss")
    assert "no ledger can be read here" in runs["said"][0]
    assert "--logdir" in runs["said"][1]
    assert len(detail["g"]) == 4
    assert (status, missing) == (400, 404)
    assert "ledger" in json.loads(refused)["error"]


def test_event_files_without_their_ledgers_show_scalars(tmp_path):
    event_run(tmp_path / "logs/one")
    event_run(tmp_path / "logs/two")
    for path in tmp_path.rglob("*.jsonl"):
        path.unlink()
    with tensorboard("--logdir", str(tmp_path / "logs")) as board:
        runs = wait_for_scalars(board.address)
    assert runs["source"] == "scalars"
    assert {row["name"] for row in runs["runs"]} == {"one", "two"}


def test_ledgers_and_scalars_are_never_mixed(tmp_path):
    event_run(tmp_path / "one")
    event_run(tmp_path / "two")
    (tmp_path / "ledgers/two.jsonl").unlink()
    with tensorboard("--logdir", str(tmp_path)) as board:
        runs = json.loads(fetch(f"{board.address}{PREFIX}/runs")[1])
    assert runs["source"] == "ledgers"
    assert len(runs["runs"]) == 1
