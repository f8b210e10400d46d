import tempfile
from pathlib import Path

import pytest
from support.sensors import DrmTree, as_nobody

from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.sources import IntelGpuSource

FIRST, SECOND = "0000:03:00.0", "0000:a3:00.0"


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def tree(tmp_path: Path):
    return DrmTree(tmp_path / "drm")


def opened(tree: DrmTree, clock: ScriptedClock, addresses: list[str] | None = None):
    source = IntelGpuSource(addresses, root=tree.root, clock=clock)
    source.open()
    return source


def only(source: IntelGpuSource):
    [reading] = source.read().values()
    return reading


def test_reads_joules_since_the_opening_by_pci_address(tree: DrmTree, clock: ScriptedClock):
    tree.add("card0", FIRST)
    tree.add("card1", SECOND, "i915", labels=(None,))
    source = opened(tree, clock)
    tree.use("card0", 120.5)
    tree.use("card1", 7, "i915")
    readings = source.read()
    assert {name: reading.joules for name, reading in readings.items()} == pytest.approx(
        {f"gpu:{FIRST}": 120.5, f"gpu:{SECOND}": 7}
    )
    assert {(reading.component, reading.method) for reading in readings.values()} == {("gpu", "counter")}


def test_a_card_and_its_package_are_not_added_up(tree: DrmTree, clock: ScriptedClock):
    tree.add("card0", FIRST)
    source = opened(tree, clock)
    tree.use("card0", 100)
    tree.use("card0", 80, number=2)
    assert only(source).joules == pytest.approx(100)


def test_the_label_says_which_counter_is_the_card(tree: DrmTree, clock: ScriptedClock):
    tree.add("card0", FIRST, labels=("pkg", "card"))
    source = opened(tree, clock)
    tree.use("card0", 80)
    tree.use("card0", 100, number=2)
    assert only(source).joules == pytest.approx(100)


def test_the_package_counts_where_the_card_is_not_metered(tree: DrmTree, clock: ScriptedClock):
    tree.add("card0", FIRST)
    tree.counter("card0").unlink()
    source = opened(tree, clock)
    tree.use("card0", 80, number=2)
    assert only(source).joules == pytest.approx(80)


def test_a_tile_is_not_added_to_its_card(tree: DrmTree, clock: ScriptedClock):
    tree.add("card0", FIRST, "i915", labels=(None,))
    tree.add("card0", FIRST, "i915_gt0", labels=(None,))
    source = opened(tree, clock)
    tree.use("card0", 100, "i915")
    tree.use("card0", 60, "i915_gt0")
    assert only(source).joules == pytest.approx(100)


def test_connectors_and_other_makers_are_left_out(tree: DrmTree, clock: ScriptedClock):
    tree.add("card0", FIRST)
    tree.add("card0-DP-1", FIRST, "xe_again")
    tree.add("card1", SECOND, "amdgpu")
    assert list(opened(tree, clock).read()) == [f"gpu:{FIRST}"]


def test_addresses_say_which_cards_count(tree: DrmTree, clock: ScriptedClock):
    tree.add("card0", FIRST)
    tree.add("card1", SECOND)
    assert list(opened(tree, clock, [SECOND.upper()]).read()) == [f"gpu:{SECOND}"]


def test_a_counter_that_falls_is_a_gap_and_no_energy(tree: DrmTree, clock: ScriptedClock):
    tree.add("card0", FIRST)
    source = opened(tree, clock)
    clock.advance(10)
    tree.use("card0", 500)
    assert only(source).joules == pytest.approx(500)
    clock.advance(5)
    tree.show("card0", 0)
    reading = only(source)
    assert (reading.joules, reading.gap_seconds, reading.flags) == (pytest.approx(500), 5, ("reset",))
    tree.use("card0", 30)
    assert only(source).joules == pytest.approx(530)


def test_is_read_before_the_register_wraps_twice_and_says_so_if_not(tree: DrmTree, clock: ScriptedClock):
    tree.add("card0", FIRST)
    source = opened(tree, clock)
    assert source.poll_seconds <= 262 / 2
    clock.advance(source.poll_seconds)
    source.poll()
    assert only(source).flags == ()
    clock.advance(1000)
    tree.use("card0", 5000)
    assert only(source).flags == ("wraps_unseen",)


def test_a_card_that_vanishes_keeps_what_it_had_and_comes_back(
    tree: DrmTree, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
):
    tree.add("card0", FIRST)
    source = opened(tree, clock)
    tree.use("card0", 100)
    source.poll()
    shown = tree.counter("card0").read_text(encoding="ascii")
    tree.counter("card0").unlink()
    for _ in range(3):
        clock.advance(10)
        source.poll()
    reading = only(source)
    assert (reading.joules, reading.gap_seconds) == (pytest.approx(100), 30)
    assert "cannot be read" in reading.reason
    assert len(caplog.records) == 1
    tree.show("card0", int(shown) + 3_000_000_000)  # the driver went on counting
    reading = only(source)
    assert (reading.joules, reading.gap_seconds, reading.reason) == (pytest.approx(3100), 0, None)


def test_a_machine_without_such_a_card_says_what_it_takes(tree: DrmTree, clock: ScriptedClock):
    with pytest.raises(SourceUnavailableError, match=r"Linux 6\.2 or later and a separate card"):
        opened(tree, clock)
    tree.add("card0", FIRST)
    with pytest.raises(SourceUnavailableError, match=SECOND):
        opened(tree, clock, [SECOND])


def test_a_refused_permission_says_the_command():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        tree = DrmTree(Path(folder) / "drm")
        tree.add("card0", FIRST)
        counter = tree.counter("card0")
        counter.chmod(0o400 if counter.stat().st_uid == 0 else 0)
        with as_nobody(), pytest.raises(SourceUnavailableError, match=r"`sudo chmod a\+r .*energy1_input`"):
            IntelGpuSource(root=tree.root).open()


def test_a_tree_that_is_hidden_holds_no_card(tmp_path: Path):
    tree = DrmTree(tmp_path / "drm")
    tree.add("card0", FIRST)
    tree.root.chmod(0)
    with as_nobody(), pytest.raises(SourceUnavailableError, match="No Intel graphics card"):
        IntelGpuSource(root=tree.root).open()
    tree.root.chmod(0o755)


def test_a_counter_that_is_no_number_says_where_to_look(tree: DrmTree, clock: ScriptedClock):
    tree.add("card0", FIRST)
    tree.counter("card0").write_text("", encoding="ascii")
    with pytest.raises(SourceUnavailableError, match="dmesg"):
        opened(tree, clock)


@pytest.mark.parametrize("addresses", [FIRST, [3], [""]])
def test_addresses_must_be_a_list_of_addresses(addresses: object):
    with pytest.raises(ConfigurationError, match="list of PCI addresses"):
        IntelGpuSource(addresses)
