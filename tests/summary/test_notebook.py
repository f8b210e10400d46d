"""A run as a notebook shows it."""

from html.parser import HTMLParser
from math import inf, nan

import pytest
from hypothesis import given
from support.runs import scripted, train
from support.strategies import records

from green_callbacks import CarbonBudget, EnergyAccountant, EpochRecord, History, MarginalGain
from green_callbacks.summary import notebook
from green_callbacks.summary.epoch_table import rows_of
from green_callbacks.summary.notebook import html_of

MOST = 30_000
EMPTY = {"circle", "path"}


class Checked(HTMLParser):
    """Collects tags and texts, and sees whether every tag is closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []
        assert len(html.encode()) < MOST
        assert not {"script", "link", "img", "style", "iframe", "a"} & set(self.tags)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert "url(" not in (value or "")
            assert "://" not in (value or "")

    def handle_startendtag(self, tag, attrs):
        assert tag in EMPTY
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def shown(each):
    return Checked(each._repr_html_())


@pytest.fixture
def accountant(tmp_path):
    """A run of 40 epochs with a ledger, which still goes on."""
    accountant, clock = scripted(ledger=tmp_path / "run.jsonl", policies=[MarginalGain("val_acc")])
    accountant.start()
    train(accountant, clock, range(40), metrics=lambda epoch: {"val_acc": 0.9 - 0.5 * 0.9**epoch})
    yield accountant
    accountant.close()


def test_an_accountant_shows_totals_epochs_and_front(accountant):
    found = shown(accountant)
    text = " ".join(found.texts)
    assert f"Run {accountant.run_id}, 40 epochs in 6 min 40 s, running" in text
    assert "33.3 g CO2e, between 33.3 g and 33.3 g" in text
    for part in ("val_acc", "0.4000", "0.8918", "...", "best val_acc", str(accountant.ledger)):
        assert part in found.texts
    assert found.tags.count("tr") == 4 + 2 + 11 + 1
    assert 20 < found.tags.count("circle") <= 60


def test_the_totals_of_a_closed_run_show_the_same_epochs(accountant):
    run = accountant.close()
    assert shown(run).texts == shown(accountant).texts
    accountant.ledger.unlink()
    assert shown(run).tags.count("table") == 1


def test_a_history_shows_itself(accountant):
    found = shown(accountant.history)
    assert found.texts[0] == "History, 40 epochs in 6 min 40 s"
    assert "circle" in found.tags


def test_a_history_that_grows_meanwhile_is_shown_as_it_was(accountant, monkeypatch):
    def grown(history, metric):
        accountant.history.append(EpochRecord.scripted(epoch=90, emissions_kg=0.1, metrics={"val_acc": 0.99}))
        return rows_of(history, metric)

    monkeypatch.setattr(notebook, "rows_of", grown)
    for each in (accountant, accountant.history):
        found = shown(each).texts
        assert "90" not in found
        assert "0.9900" not in found
        accountant.history.rewind(90)


def test_before_the_start_and_without_anything_measured_it_says_so():
    for each in (EnergyAccountant(sinks=[]), History(), scripted()[0].close()):
        assert "not known, because nothing was measured" in shown(each).texts
    assert shown(EnergyAccountant(sinks=[])).texts[0].endswith("not started yet")


def test_a_stopped_run_says_why():
    accountant, clock = scripted(policies=[CarbonBudget("2 g")])
    accountant.start()
    train(accountant, clock, range(3))
    accountant.close()
    assert accountant.stop_reason in shown(accountant).texts


def test_a_switched_off_accountant_is_shown(monkeypatch):
    monkeypatch.setenv("GREEN_CALLBACKS_DISABLE", "1")
    with EnergyAccountant(sinks=[]) as accountant:
        for _ in accountant.epochs(2):
            pass
        shown(accountant)
    shown(accountant.close())


@pytest.mark.parametrize(
    "values",
    [(nan, nan), (nan, 0.5, inf, 0.6), (1.7e308, -1.7e308), (-1.7e308, 1.7e308), (0.5, 0.5), (5e-324, 1e-323)],
)
def test_any_values_of_a_metric_are_drawn_within_the_picture(values):
    history = History(
        EpochRecord.scripted(epoch=epoch, emissions_kg=0.1, metrics={"val_acc": value})
        for epoch, value in enumerate(values)
    )
    html = history._repr_html_()
    Checked(html)
    assert "nan" not in html.partition("<svg")[2]
    assert "inf" not in html.partition("<svg")[2]


def test_foreign_text_is_escaped_and_the_size_is_bounded(tmp_path):
    evil = "<script>alert('\u202e')</script>" * 300
    accountant, clock = scripted(ledger=tmp_path / ("<b>" * 60 + ".jsonl"), name="gpu:<i>")
    accountant.start()
    for each in range(60):
        accountant.warn(f"key {each}", "%s", evil)
    train(accountant, clock, range(200), metrics=lambda epoch: {f"val_{evil[:200]}": float(epoch), "<img>": 1.0})
    html = accountant._repr_html_()
    Checked(html)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "\u202e" not in html
    Checked(accountant.close()._repr_html_())


def test_many_components_leave_room_for_the_rest():
    record = EpochRecord.scripted(epoch=0, emissions_kg=0.1, metrics={"val_acc": 0.5})
    (device,) = record.devices.values()
    many = {f"part{at}": device._replace(component=f"part{at}") for at in range(400)}
    found = shown(History([record._replace(devices=many)]))
    assert "part7" not in found.texts
    assert {"epoch", "mean power", "CO2e", "CO2e so far", "val_acc"} <= set(found.texts)


@given(records())
def test_any_record_can_be_shown(record):
    Checked(html_of(History([record])))


def test_something_else_is_no_run():
    with pytest.raises(TypeError, match="A str is no run"):
        html_of("run")
