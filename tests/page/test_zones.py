"""The places that the page offers."""

import json

from green_callbacks.carbon import lookup
from green_callbacks.carbon import tables as carbon_tables
from green_callbacks.page.zones import zones


def test_every_place_has_the_figure_that_a_look_up_finds():
    for code, label, g_per_kwh, name in zones()["zones"]:
        found = lookup(code)
        assert (found.name, found.g_per_kwh) == (name, g_per_kwh)
        assert label == f"{name} ({code}): {found.g_per_kwh:.4g} g/kWh, {found.year}"


def test_no_place_of_the_tables_is_missing():
    codes = [place[0] for place in zones()["zones"]]
    assert len(codes) == len(set(codes))
    assert set(codes) == set(carbon_tables.tables().zones)


def test_the_world_comes_first_and_regions_of_clouds_last():
    codes = [place[0] for place in zones()["zones"]]
    kinds = [0 if code == "WORLD" else 3 if ":" in code else 2 if "-" in code else 1 for code in codes]
    assert kinds == sorted(kinds)
    names = [place[3].casefold() for place, kind in zip(zones()["zones"], kinds, strict=True) if kind == 1]
    assert names == sorted(names)


def test_published_pues_are_sorted_by_label():
    pues = zones()["pues"]
    assert [label for _, label in pues] == sorted(label for _, label in pues)
    assert [1.15, "AWS sustainability disclosure, global average 2023: 1.15"] in pues
    assert all(1.0 <= pue < 2.0 for pue, _ in pues)


def test_it_is_plain_json():
    assert json.loads(json.dumps(zones(), allow_nan=False)) == zones()


def test_a_bundle_without_tables_offers_no_place(monkeypatch):
    monkeypatch.setattr(carbon_tables, "_content", lambda name: None)
    assert zones() == {"zones": [], "pues": []}
