import re
import sys

import pytest

IN_GERMANY = {"location": "DE", "carbon_intensity": None, "pue": 1.25}
FRANCE = 329.7 / 41.4


def table(text, number=0):
    """The rows of a table, by place and year."""
    body = re.split(r"\n-{20,}\n", text)[number + 1].split("\n\n")[0]
    rows = [re.split(r"\s{2,}", line) for line in body.splitlines()]
    return {(cells[1], cells[2]): cells for cells in rows}


def test_france_in_place_of_germany_is_a_factor_of_eight(command, ledger):
    status, out, err = command("whatif", ledger("one", **IN_GERMANY))

    rows = table(out)
    assert (status, err) == (0, "")
    assert rows["Germany (DE)", "2025"][0] == "here"
    assert rows["France (FR)", "2025"][0] == "8.0x less"
    assert rows["India (IN)", "2025"][0] == "2.0x more"
    assert pytest.approx(8, abs=0.1) == FRANCE


def test_each_place_has_its_range_and_its_emissions_at_each_pue(command, ledger):
    rows = table(command("whatif", ledger("one", **IN_GERMANY))[1])

    kwh = 13 * 300 / 60 / 1000
    here, france = rows["Germany (DE)", "2025"], rows["France (FR)", "2025"]
    assert here[3:] == ["330", "330 to 420", *(f"{kwh * pue * 329.7:.1f} g" for pue in (1.25, 1.1, 1.67)), "lifecycle"]
    assert france[3:] == [
        "41.4",
        "40.5 to 78.5",
        *(f"{kwh * pue * 41.4:.2f} g" for pue in (1.25, 1.1, 1.67)),
        "lifecycle",
    ]


def test_a_pue_that_is_compared_with_is_not_there_twice(command, ledger):
    out = command("whatif", ledger("one", location="DE", carbon_intensity=None, pue=1.1))[1]
    assert re.search(r"PUE 1\.10 +PUE 1\.67 +counts", out)


def test_places_stand_in_order_the_runs_own_first(command, ledger):
    rows = list(table(command("whatif", ledger("one", **IN_GERMANY))[1]).values())
    grams = [float(row[3]) for row in rows]
    assert rows[0][0] == "here"
    assert len(rows) == 15
    assert grams[1:] == sorted(grams[1:])


def test_figures_that_count_less_are_marked(command, ledger):
    out = command("whatif", ledger("one", **IN_GERMANY))[1]
    assert table(out)["Iowa (gcp:us-central1)", "2025"][-1] == "direct only *"
    assert "* has another scope than the run's own figure" in out
    assert "from 12x less (Stockholm" in out  # lifecycle ones only
    assert "*" not in command("whatif", ledger("two", **IN_GERMANY), "--zone", "FR")[1]


def test_of_a_run_that_counts_combustion_only_the_others_are(command, ledger):
    rows = table(command("whatif", ledger("one", location="gcp:us-central1", carbon_intensity=None))[1])
    assert rows["Finland (gcp:europe-north1)", "2025"][-1] == "direct only"
    assert rows["France (FR)", "2025"][-1] == "lifecycle *"


def test_of_a_number_that_was_given_nothing_is_counted_alike(command, ledger):
    out = command("whatif", ledger("one"), "--zone", "FR")[1]
    assert "not known, because no figure here has the scope of the run's own figure" in out
    assert "In other years" not in out
    assert table(out)["not named", "-"][0] == "here"


def test_the_same_place_in_other_years(command, ledger):
    out = command("whatif", ledger("one", **IN_GERMANY))[1]
    rows = table(out, 1)
    assert len(rows) == 11
    assert rows["Germany (DE)", "2015"][0] == "1.53x more"


def test_a_year_is_that_of_all_places(command, ledger):
    out = command("whatif", ledger("one", **IN_GERMANY), "--year", "2020")[1]
    rows = table(out)
    assert rows["Germany (DE)", "2020"][0] == "1.08x more"
    assert {year for _, year in list(rows)[1:]} == {"2020"}
    assert "That year has no figure for aws:eu-north-1, aws:us-east-1, gcp:europe-north1, gcp:us-central1." in out
    assert "In other years" not in out


def test_named_places_stand_in_place_of_the_usual_ones(command, ledger):
    path = ledger("one", **IN_GERMANY)
    rows = table(command("whatif", path, "--zone", "france", "US-CA", "--zone", "DE", "FRA")[1])
    assert [place for place, _ in rows] == ["Germany (DE)", "France (FR)", "California (US-CA)"]


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--zone", "Atlantis"], "Unknown location 'Atlantis'"), (["--zone", "US-CA", "--year", "2015"], "Choose one of")],
)
def test_a_named_place_that_there_is_not_is_refused(command, ledger, options, said):
    status, out, err = command("whatif", ledger("one", **IN_GERMANY), *options)
    assert (status, out) == (2, "")
    assert said in err


def test_what_it_compares_to_has_a_source_and_a_year(command, ledger):
    out = " ".join(command("whatif", ledger("one", **IN_GERMANY))[1].split())
    assert "0.110 km, average US passenger car, 2024, tailpipe CO2e (US EPA" in out
    assert "km, new car sold in the EU, 2024" in out


def test_a_factor_of_nothing_is_none(command, ledger):
    out = command("whatif", ledger("one", location="DE", carbon_intensity=0.0), "--zone", "FR")[1]
    assert table(out)["France (FR)", "2025"][0] == "-"


def test_a_figure_that_is_the_same_is_as_much(command, ledger):
    out = command("whatif", ledger("one", location="DE", carbon_intensity=41.5), "--zone", "FR")[1]
    assert table(out)["France (FR)", "2025"][0] == "as much"


def test_a_run_without_energy_says_that_nothing_is_known(command, ledger):
    status, out, _ = command("whatif", ledger("one", watts=0.0))
    assert status == 1
    assert "Nothing was measured" in out


def test_one_run_at_a_time(command, ledger):
    folder = ledger("one").parent
    assert command("whatif", folder)[0] == 0
    ledger("two")
    status, _, err = command("whatif", folder)
    assert status == 2
    assert "Name one ledger" in err


def test_a_plot_without_its_library_says_what_to_install(command, ledger, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    status, out, err = command("whatif", ledger("one"), "--plot", tmp_path / "a.png")
    assert (status, out) == (2, "")
    assert "pip install 'green-callbacks[plot]'" in err
