"""Groups of a report: who belongs to them, what is said of the rest, and a picture that no name can break."""

import re
from xml.etree import ElementTree as ET

import pytest
from support.overviews import overview, trained
from support.report_page import HOSTILE

from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger import Head
from green_callbacks.page.groups.chart import COLORS, chart
from green_callbacks.page.groups.runs import labeled_runs
from green_callbacks.page.groups.section import groups_html
from green_callbacks.records import History


def labeled(run_id, history=None, at="", **labels):
    head = Head(run_id=run_id, version="1", labels=labels)
    return at, overview(trained() if history is None else history, head=head)


def test_runs_are_grouped_by_their_label_the_largest_group_first():
    runs = [labeled("a", method="x"), labeled("b", method="y"), labeled("c", method="y"), labeled("d")]
    found = labeled_runs(runs, "method")
    assert [(group.name, len(group.curves)) for group in found.groups] == [
        ("y", 2),
        ("without the label method", 1),
        ("x", 1),
    ]
    assert found.said == []


def test_runs_are_grouped_by_their_folder_unless_a_label_has_that_name():
    runs = [labeled("a", at="logs/x"), labeled("b")]
    assert [group.name for group in labeled_runs(runs, "folder").groups] == [".", "logs/x"]
    runs.append(labeled("c", at="logs/x", folder="mine"))
    assert [group.name for group in labeled_runs(runs, "folder").groups] == ["without the label folder", "mine"]


def test_other_metrics_and_unmeasured_runs_are_said():
    runs = [labeled("a", k="x"), labeled("b", k="x"), labeled("c", trained(metric="val_loss"), k="x")]
    found = labeled_runs([*runs, labeled("d", History(), k="x")], "k")
    assert found.metric.name == "val_acc"
    assert found.said == ["2 of 4 runs are not in a group, because they have no val_acc or no known emissions."]


def test_too_many_groups_are_said():
    found = labeled_runs([labeled(str(at), k=str(at)) for at in range(9)], "k")
    assert len(found.groups) == len(COLORS) == 7
    assert found.said == ["7 of 9 groups are shown, which are the groups with the most runs."]


@pytest.mark.parametrize(
    ("runs", "reason"),
    [([labeled("a", k="x")], "No run has the label z"), ([labeled("a", History(), z="x")], "No run has a metric")],
)
def test_impossible_groups_are_refused(runs, reason):
    with pytest.raises(ConfigurationError, match=reason):
        labeled_runs(runs, "z")


def test_the_table_is_at_the_same_emissions_and_extrapolates_nothing():
    short, long = trained(2), trained(6)
    runs = [labeled("a", short, k="short"), labeled("b", long, k="long"), labeled("c", trained(1), k="long")]
    html = groups_html(labeled_runs(runs, "k"))
    cells = re.findall(r"<td>(.*?)</td>", html)
    assert cells[0] == "2"
    assert cells[3].endswith(", 1 of 2 runs"), "a run that emitted less does not count"
    assert cells[4] == "1"


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_markup(name):
    html = groups_html(labeled_runs([labeled("a", **{name: name}), labeled("b", trained(3))], name))
    assert "<script" not in html
    assert "<img" not in html
    assert html.encode()
    ET.fromstring(html.replace("&#x27;", "'"))


def test_a_picture_of_a_single_value_or_equal_values_is_drawn():
    for epochs in (1, 2):
        ET.fromstring(chart(labeled_runs([labeled("a", trained(epochs), k="x")], "k")))


@pytest.mark.parametrize("color", COLORS)
def test_every_color_is_seen_on_white_and_on_dark(color):
    def light(code):
        parts = [int(code[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05

    assert light("#ffffff") / light(color) >= 3
    assert light(color) / light("#303030") >= 3
