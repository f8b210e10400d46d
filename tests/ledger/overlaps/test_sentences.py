"""What a sum says of devices that several of its runs have measured."""

from green_callbacks.ledger.overlaps.hosts import Place
from green_callbacks.ledger.overlaps.sentences import Shared, overlap_sentences
from green_callbacks.ledger.overlaps.shares import Part


def shared(host, kwh=2.0, components=("gpu",), most=2):
    return Shared(Place(*host.split("/")), kwh, Part(0.0, kwh / 2, 0.0, 0.0, 0.0, {}, components, most))


def test_each_machine_has_a_sentence():
    assert overlap_sentences([]) == []
    said = overlap_sentences(
        [shared("a"), shared("b"), shared("a", components=("cpu", "gpu")), shared("b"), shared("b")]
    )
    first, second = [each.split(". ") for each in said]
    assert first[0] == "2 runs measured the GPU and CPU of a at the same time"
    assert first[1] == "The sum counts them once, as 2.00 kWh instead of 4.00 kWh."
    assert second[0] == "3 runs measured the GPU of b, up to 2 of them at the same time"
    assert second[1] == "The sum counts it once, as 3.00 kWh instead of 6.00 kWh."


def test_containers_of_a_machine_have_one_sentence():
    (said,) = overlap_sentences([shared("pod-1/1a@5"), shared("pod-2/1a@5")])
    assert said.startswith("2 runs measured the GPU of pod-1 at the same time.")


def test_many_machines_have_one_sentence():
    (said,) = overlap_sentences([shared(f"node{number % 1000}") for number in range(2000)])
    assert said.startswith("2,000 runs measured the GPU of 1,000 machines, up to 2 of them at the same time.")


def test_a_machine_without_a_name_is_not_named():
    (said,) = overlap_sentences([shared(""), shared("")])
    assert said.startswith("2 runs measured the GPU at the same time.")


def test_what_another_run_measured_with_more_counts_there():
    part = Part(0.0, 2.0, 0.0, 0.0, 0.0, {}, ("cpu",), 2)
    (said,) = overlap_sentences([Shared(Place("node01"), 2.0, part)])
    assert said == (
        "1 run measured the CPU of node01, and another run measured all of it at the same time. "
        "The sum counts it there, and leaves out 2.00 kWh."
    )
    (said,) = overlap_sentences([Shared(Place("node01"), 2.0, part)] * 3)
    assert said.startswith("3 runs measured the CPU of node01, and another run measured all of it")
    (said,) = overlap_sentences([shared("node01", kwh=0.0)] * 2)
    assert said.startswith("2 runs measured the GPU of node01 at the same time.")
