import os
import re
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scripted_run import GERMANY, device, finished, record

from green_callbacks.errors import ConfigurationError
from green_callbacks.exports import co2_eq_emissions, front_matter, write_card
from green_callbacks.records import EpochRecord, History

HISTORY = History([record(0), record(1)])
RUN = finished(HISTORY)


def of(history, **options):
    return co2_eq_emissions(finished(history), history, **options)


def test_the_entry_is_in_grams_and_says_what_it_stands_on():
    entry = co2_eq_emissions(RUN, HISTORY, training_type="fine-tuning")

    assert entry["emissions"] == pytest.approx(RUN.emissions_kg * 1000, rel=1e-3)
    assert re.fullmatch(
        r"green_callbacks \S+; 75 % of the energy measured; PUE 1\.25; 360 gCO2e/kWh \(A yearly table, 2025\); "
        r"\S+ k?g at the world's average of 2025 \(458\.3 gCO2e/kWh\)",
        entry["source"],
    )
    assert list(entry)[2:] == ["training_type", "geographical_location", "hardware_used"]
    assert entry["training_type"] == "fine-tuning"
    assert entry["geographical_location"] == "Germany (DE)"
    assert entry["hardware_used"] == "1 GPU"


@given(st.floats(1e-12, 1e7))
def test_the_hubs_client_reads_the_number_that_was_meant(kg):
    history = History([EpochRecord.scripted(epoch=0, emissions_kg=kg)])

    emissions = of(history)["emissions"]

    read = float(re.search(r"\d+\.\d+|\d+", str(emissions))[0])  # as huggingface_hub's filter does
    assert read == float(emissions) == pytest.approx(kg * 1000, rel=1e-3)


@pytest.mark.parametrize(
    ("intensity", "said"),
    [
        (replace(GERMANY, flags=("guessed",)), "Germany (DE), guessed from the machine's time zone"),
        (replace(GERMANY, zone=None), "Germany"),
        (replace(GERMANY, name=None), "DE"),
        (replace(GERMANY, name=None, zone=None, year=None), None),
        (replace(GERMANY, zone="WORLD", name="World", found_by="world average", flags=("guessed",)), None),
    ],
)
def test_a_place_is_said_as_surely_as_it_is_known(intensity, said):
    assert of(History([record(0, intensity=intensity)])).get("geographical_location") == said


def test_hardware_is_what_the_user_says_else_how_many_gpus_there_were():
    two = History([record(0, devices={"gpu:a": device(1.0), "gpu:b": device(1.0)})])
    none = History([record(0, devices={"cpu:0": device(1.0, "cpu")})])
    sliced = History([record(0, devices={"gpu:MIG-1": device(1.0)})])

    assert of(two)["hardware_used"] == "2 GPUs"
    assert of(two, hardware="2 x NVIDIA H100")["hardware_used"] == "2 x NVIDIA H100"
    assert "hardware_used" not in of(none)
    assert "hardware_used" not in of(sliced)


@pytest.mark.parametrize("history", [History(), History([record(0, gpu_joules=None, cpu_joules=None)])])
def test_where_nothing_was_measured_there_is_no_number(history):
    with pytest.raises(ConfigurationError, match="Nothing was measured in the run run-1"):
        of(history)


def test_devices_that_used_nothing_have_no_measured_share():
    source = of(History([record(0, gpu_joules=0.0, cpu_joules=0.0)]))["source"]
    assert "measured" not in source


def test_the_front_matter_is_yaml():
    text = front_matter({"emissions": 1.5, "source": 'a "table": of Côte d\'Ivoire'})
    assert text == 'co2_eq_emissions:\n  emissions: 1.5\n  source: "a \\"table\\": of Côte d\'Ivoire"'


def test_texts_of_others_stay_on_their_lines_and_can_be_written():
    evil = "x\u2028\x9b31m\n---\nemissions: 0\udcff"
    intensity = replace(GERMANY, name=evil, source=evil)
    entry = of(History([record(0, intensity=intensity)]), hardware=evil)
    text = front_matter(entry)
    text.encode()
    assert len(text.splitlines()) == 1 + len(entry)
    assert all(value.isprintable() for value in entry.values() if isinstance(value, str))


def test_writing_a_card_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setitem(sys.modules, "huggingface_hub.repocard", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'green-callbacks\[export\]'"):
        write_card(tmp_path / "README.md", {"emissions": 1.0})
    assert not (tmp_path / "README.md").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_card_that_is_a_pipe_is_refused_and_not_waited_for(tmp_path):
    pytest.importorskip("huggingface_hub")
    os.mkfifo(tmp_path / "card.md")
    with pytest.raises(ConfigurationError, match="it is no file"):
        write_card(tmp_path / "card.md", {"emissions": 1.0})
