"""What other ranks use between two epochs that follow one another at once on this rank."""

from green_callbacks.accountant.energy.lap_vectors import Lap
from green_callbacks.accountant.energy.remainder import with_remainder
from green_callbacks.records import DeviceEnergy, PhaseEnergy


def lap(joules, seconds, **options):
    devices = {
        f"gpu:{rank}": DeviceEnergy(each, "gpu", "counter", seconds, each, each) for rank, each in enumerate(joules)
    }
    known = sum(each or 0.0 for each in joules)
    phases = {"train": PhaseEnergy(known, seconds)} if seconds else {"other": PhaseEnergy(known, 0.0)}
    return Lap(seconds, devices, phases, None, [], **options)


def test_a_little_energy_goes_to_the_epoch_and_none_is_lost():
    outside, epoch = with_remainder(lap([0.0, 2.0], 0.0), lap([3000.0, 3100.0], 10.0))
    assert [device.joules for device in epoch.devices.values()] == [3000.0, 3102.0]
    assert [device.high_joules for device in epoch.devices.values()] == [3000.0, 3102.0]
    assert epoch.phases["train"] == PhaseEnergy(6102.0, 10.0)
    assert not any(device.joules for device in outside.devices.values())
    assert not outside.phases


def test_much_energy_a_duration_of_this_rank_and_what_an_epoch_cannot_take_stay_outside():
    epoch = lap([3000.0, 3100.0], 10.0)
    for before in (lap([0.0, 600.0], 0.0), lap([1.0, 1.0], 0.5), lap([0.0, 0.0], 0.0), lap([0.0, 1.0], 0.0, tokens=5)):
        assert with_remainder(before, epoch) == [before, epoch]
    lost = lap([3000.0, None], 10.0)
    before = lap([0.0, 1.0], 0.0)
    assert with_remainder(before, lost) == [before, lost]
