import re
from dataclasses import replace

import pytest
from support.scripted_run import GERMANY, device, finished, record

from green_callbacks import __version__
from green_callbacks.exports import methods
from green_callbacks.records import History


def of(history, **options):
    return methods(finished(history), history, **options)


def test_it_says_all_that_a_reader_needs_to_recompute_the_emissions():
    text = of(History([record(0, gpu_joules=3.6e6, cpu_joules=1.2e6)]), pue_source="argument")

    assert text == (
        "Training took 10.0 s for 1 epoch and used 1.33 kWh of electricity at the computers, 1.67 kWh at the facility "
        "(power usage effectiveness, PUE: 1.25; source: given by the user). 75 % of the energy was measured, the rest "
        "modelled (GPU: energy counter, CPU: model). The carbon intensity is 360 gCO2e/kWh (300 to 400) for Germany "
        "(DE), 2025 (lifecycle, generation; source: A yearly table). The emissions are 600 g CO2e (between 481 g "
        "and 692 g). They would be 764 g at the world's average of 2025 (458.3 gCO2e/kWh). "
        f"Accounted with green_callbacks {__version__} (run run-1)."
    )


def test_others_on_a_device_are_named():
    parts = {"gpu:0": device(5.0, "gpu", flags=("shared",)), "cpu:0": device(5.0, "cpu")}
    assert "(GPU: energy counter, CPU: energy counter). Others used the GPU at the same time." in of(
        History([record(0, devices=parts)])
    )


def test_small_energies_are_plain_decimals():
    assert "used 0.000000278 kWh" in of(History([record(0, gpu_joules=1.0, cpu_joules=None)]))


def test_all_measured_leaves_no_rest():
    text = of(History([record(0, cpu_joules=None)]))
    assert "100 % of the energy was measured (GPU: energy counter, CPU: nothing)" in text
    assert "PUE: 1.25)" in text


def test_devices_of_other_kinds_are_named_as_they_are():
    parts = {"platform:0": device(5.0, "platform", "sampled"), "dram:0": device(5.0, "dram")}
    assert "(platform: sampled power, memory: energy counter)" in of(History([record(0, devices=parts)]))


def test_what_is_not_known_says_so():
    text = of(History([record(0, gpu_joules=None, cpu_joules=None)]))
    assert "Its energy is not known, because nothing was measured." in text
    assert "Emissions are not known." in text
    assert "%" not in text
    assert "The carbon intensity is not known." in of(History())


@pytest.mark.parametrize(
    ("found_by", "said"),
    [
        ("time zone", "guessed from the machine's time zone."),
        ("world average", "The place is not known, so the world's average is used."),
        ("provider", "The place was guessed."),
    ],
)
def test_a_guess_is_called_one(found_by, said):
    assert said in of(History([record(0, intensity=replace(GERMANY, found_by=found_by, flags=("guessed",)))]))


def test_a_number_without_provenance_says_so():
    given = replace(
        GERMANY, zone=None, name=None, year=None, scope=None, basis=None, low_g_per_kwh=None, source="given by the user"
    )
    text = of(History([record(0, intensity=given)]))
    assert "360 gCO2e/kWh for a place that was not named (scope not known; source: given by the user)" in text


def test_no_name_is_markup_or_html_or_a_line_of_its_own():
    evil = "<script>alert(1)</script> [x](y) `z` |\n# head\x1b[1m"
    place = replace(GERMANY, name=evil, zone=evil, source=evil, scope=evil, basis=evil)
    history = History([record(0, intensity=place, devices={"a": device(5.0, evil)})])
    text = methods(replace(finished(history), run_id=evil), history, pue_source=evil)
    assert "<" not in text
    assert not re.search(r"(?<!\\)[`|\[]", text)
    assert len(text.splitlines()) == 1
    assert text.isprintable()
