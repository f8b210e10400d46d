"""What others' own code reads of our exports."""

import re
from types import SimpleNamespace

import pandas as pd
import pytest
from codecarbon.output_methods.emissions_data import EmissionsData
from codecarbon.output_methods.file import FileOutput
from codecarbon.viz.data import Data
from huggingface_hub import ModelCard, ModelCardData
from huggingface_hub.utils.endpoint_helpers import _is_emission_within_threshold
from support.runs import scripted, train

from green_callbacks.cli import main

GRAMS = 65.0 * 1.25 * 0.3297


@pytest.fixture
def ledger(tmp_path):
    """65 Wh in Germany with a PUE of 1.25, unless said otherwise."""

    def write(name="run", **options):
        path = tmp_path / f"{name}.jsonl"
        options = {"location": "DE", "carbon_intensity": None, "pue": 1.25} | options
        accountant, clock = scripted(ledger=path, **options)
        accountant.start()
        train(accountant, clock, range(13), seconds=60.0)
        accountant.close()
        return path

    return write


def export(*arguments):
    assert main(["export", *map(str, arguments)]) == 0


class TestModelCard:
    def test_the_right_number_is_read_back(self, ledger, tmp_path):
        card = tmp_path / "README.md"

        export(ledger(), "--format", "model-card", "--card", card, "--training-type", "fine-tuning")

        data = ModelCard.load(card).data
        assert data.co2_eq_emissions["emissions"] == pytest.approx(GRAMS, rel=1e-3)
        assert data.co2_eq_emissions["training_type"] == "fine-tuning"
        assert data.co2_eq_emissions["geographical_location"] == "Germany (DE)"

    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_all_else_of_a_card_stays(self, ledger, tmp_path, newline):
        card = tmp_path / "README.md"
        text = "---\nlicense: mit\nco2_eq_emissions: 3\ntags:\n- green\n---\n\n# Größe\n\nText --- more.\n"
        card.write_bytes(text.replace("\n", newline).encode())

        export(ledger(), "--format", "model-card", "--card", card)
        export(ledger("other", pue=1.0), "--format", "model-card", "--card", card)

        body = card.read_bytes().decode()
        loaded = ModelCard.load(card)
        assert body.endswith("---\n\n# Größe\n\nText --- more.\n".replace("\n", newline))
        assert (loaded.data.license, loaded.data.tags) == ("mit", ["green"])
        assert loaded.data.co2_eq_emissions["emissions"] == pytest.approx(GRAMS / 1.25, rel=1e-3)

    @pytest.mark.parametrize("watts", [300.0, 1e-3, 3e-7])
    def test_the_hubs_filter_finds_it_by_its_grams(self, ledger, tmp_path, watts):
        card, grams = tmp_path / "README.md", GRAMS * watts / 300
        export(ledger(watts=watts), "--format", "model-card", "--card", card)

        info = SimpleNamespace(card_data=ModelCard.load(card).data)

        assert _is_emission_within_threshold(info, grams * 0.99, grams * 1.01)
        assert not _is_emission_within_threshold(info, grams * 1.01, grams * 100)

    def test_what_is_printed_is_the_same_metadata(self, ledger, tmp_path, capsys):
        path, card = ledger(), tmp_path / "README.md"
        export(path, "--format", "model-card")
        pasted = ModelCard(f"---\n{capsys.readouterr().out}---\n")
        export(path, "--format", "model-card", "--card", card)

        assert isinstance(pasted.data, ModelCardData)
        assert pasted.data.co2_eq_emissions == ModelCard.load(card).data.co2_eq_emissions

    @pytest.mark.parametrize("text", ["---\n- a\n- list\n---\n", "---\na: [\n---\n"])
    def test_a_card_whose_metadata_is_none_is_left_as_it_is(self, ledger, tmp_path, text, capsys):
        card = tmp_path / "README.md"
        card.write_text(text)

        status = main(["export", str(ledger()), "--format", "model-card", "--card", str(card)])

        assert status == 2
        assert "cannot be written" in capsys.readouterr().err
        assert card.read_text() == text


@pytest.mark.filterwarnings(r"ignore:\s*The dash_table.DataTable will be removed:DeprecationWarning")
class TestCodeCarbon:
    @pytest.fixture
    def emissions(self, ledger, tmp_path):
        first, second = ledger("one"), ledger("two", location="gcp:europe-west9")
        target = tmp_path / "emissions.csv"
        export(first, second, "--format", "codecarbon-csv", "--project", "digits", "--output", target)
        return target

    def test_it_takes_the_file_for_one_of_its_own(self, emissions):
        row = dict.fromkeys(EmissionsData.__annotations__, 0.0) | {"run_id": "another", "project_name": "digits"}
        output = FileOutput(emissions.name, str(emissions.parent))

        assert tuple(row) == tuple(emissions.read_text().partition("\n")[0].split(","))
        output.out(EmissionsData(**row), None)  # backs a file up, and begins a new one, if it does not know the columns

        assert len(pd.read_csv(emissions)) == 3

    def test_its_dashboard_reads_it(self, emissions):
        data = Data()
        frame = pd.read_csv(emissions)  # as carbonboard does

        project = data.get_project_data(frame, "digits")
        summary = data.get_project_summary(project.data)

        assert next(run["emissions"] for run in project.data) == pytest.approx(GRAMS / 1000)
        assert summary["total"]["energy_consumed"] == pytest.approx(2 * 0.065 * 1.25)
        assert summary["total"]["duration"] == 2 * 13 * 60
        assert {run["country_iso_code"] for run in project.data} == {"DEU", "FRA"}
        assert data.get_regional_emissions_choropleth_data(1.0, summary["country_iso_code"])

    def test_it_renders(self, emissions):
        from codecarbon.viz.carbonboard import render_app

        assert "digits" in str(render_app(pd.read_csv(emissions)).layout)

    def test_its_cloud_comparison_knows_the_region(self, emissions):
        cloud = pd.read_csv(emissions).query("on_cloud == 'Y'").iloc[0]
        name, bars = Data().get_cloud_emissions_barchart_data(1.0, "Y", cloud.cloud_provider, cloud.cloud_region)
        assert name == "Google Cloud Platform"
        assert bars.iloc[0].region == "europe-west9"

    def test_a_place_that_is_not_known_does_not_break_it(self, ledger, tmp_path):
        target = tmp_path / "emissions.csv"
        export(ledger(location=None, carbon_intensity=100.0), "--format", "codecarbon-csv", "--output", target)

        summary = Data().get_project_summary(pd.read_csv(target).to_dict("records"))

        assert summary["country_iso_code"].upper() == "NOT KNOWN"
        assert summary["on_cloud"] == "N"


class TestPlot:
    def test_it_is_drawn(self, ledger, tmp_path, capsys):
        picture = tmp_path / "elsewhere.svg"

        assert main(["whatif", str(ledger()), "--plot", str(picture)]) == 0

        drawn = re.sub(r"\s+", " ", picture.read_text())
        assert "<!-- 8.0x less -->" in drawn
        assert "<!-- France (FR), 2025 -->" in drawn
        assert "<!-- Iowa (gcp:us-central1), 2025, direct only * -->" in drawn
        assert "<!-- PUE 1.67 -->" in drawn
        assert "France (FR)" in capsys.readouterr().out

    def test_a_picture_needs_no_marks_where_all_is_counted_alike(self, ledger, tmp_path):
        picture = tmp_path / "elsewhere.svg"
        assert main(["whatif", str(ledger()), "--zone", "FR", "--plot", str(picture)]) == 0
        assert "<!-- g CO2e -->" in picture.read_text()

    @pytest.mark.parametrize("name", ["elsewhere.jsonl", "none/elsewhere.png"])
    def test_one_that_cannot_be_written_is_an_error(self, ledger, tmp_path, name, capsys):
        assert main(["whatif", str(ledger()), "--plot", str(tmp_path / name)]) == 2
        assert "cannot be written" in capsys.readouterr().err
