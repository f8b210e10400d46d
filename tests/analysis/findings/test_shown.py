"""Whoever shows a run shows its findings, and says nothing of a run without any."""

import json

import pytest

from green_callbacks import EnergyAccountant, read_ledger
from green_callbacks.cli import main
from green_callbacks.clock import ScriptedClock
from green_callbacks.page.run_detail import run_of
from green_callbacks.sinks import Sink
from green_callbacks.sources import ScriptedSource
from green_callbacks.summary import Summary

SENTENCE = "Validation took 50 % of the energy of the epochs"


def trained(path, validation_seconds, *sinks: Sink):
    clock = ScriptedClock()
    accountant = EnergyAccountant(
        sources=[ScriptedSource(300.0, clock=clock)],
        clock=clock,
        carbon_intensity=400.0,
        pue=1.0,
        sinks=sinks,
        ledger=path,
    )
    with accountant:
        for _ in accountant.epochs(6):
            clock.advance(60.0)
            with accountant.phase("validation"):
                clock.advance(validation_seconds)
    return accountant


@pytest.fixture
def dear(tmp_path):
    return trained(tmp_path / "dear.jsonl", 60.0)


@pytest.fixture
def cheap(tmp_path):
    return trained(tmp_path / "cheap.jsonl", 5.0)


def one_line(text):
    return " ".join(text.split())


def test_the_summary_tells_it_at_the_end_of_a_run(tmp_path):
    said = []
    trained(tmp_path / "a.jsonl", 60.0, Summary(write=said.append))
    trained(tmp_path / "b.jsonl", 5.0, Summary(write=said.append))
    assert f"Finding {SENTENCE}" in one_line(said[0])
    assert "Finding" not in said[1]


def test_the_command_tells_it_of_a_ledger(dear, cheap, capsys):
    assert main(["summary", str(dear.ledger or dear.close().ledger)]) == 0
    assert f"Finding {SENTENCE}" in one_line(capsys.readouterr().out)
    assert main(["summary", str(cheap.close().ledger)]) == 0
    assert "Finding" not in capsys.readouterr().out


def test_json_of_one_run_has_its_findings(dear, cheap, capsys):
    main(["summary", "--format", "json", str(dear.close().ledger)])
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["key"], finding["is_saving"]) == ("validation", True)
    assert finding["value"] == pytest.approx(0.5)
    assert finding["emissions_kg"] == pytest.approx(dear.history.emissions_kg / 2)
    main(["summary", "--format", "json", str(cheap.close().ledger)])
    assert json.loads(capsys.readouterr().out)["findings"] == []
    main(["summary", "--format", "json", str(dear.close().ledger.parent)])
    assert "findings" not in json.loads(capsys.readouterr().out)


def test_the_page_and_the_report_have_it_among_the_facts(dear, cheap):
    facts = dict(run_of(read_ledger(dear.close().ledger), "a")["facts"])
    ((label, text),) = facts["Findings"]
    assert label == "finding"
    assert text.startswith(SENTENCE)
    assert "Findings" not in dict(run_of(read_ledger(cheap.close().ledger), "a")["facts"])


def test_a_notebook_shows_it(dear, cheap):
    run = dear.close()
    for shown in (dear, run, dear.history):
        assert SENTENCE in shown._repr_html_()
    assert "Finding" not in cheap._repr_html_()


def test_a_killed_run_has_the_findings_of_its_ledger(dear):
    ledger = dear.close().ledger
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(line for line in lines if b'"type":"end"' not in line))
    contents = read_ledger(ledger)
    assert contents.is_closed is False
    assert len(dict(run_of(contents, "a")["facts"])["Findings"]) == 1
