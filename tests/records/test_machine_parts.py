import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.records.machine_parts import bound_name, is_part, overlap_of, processors_of

processors = st.sets(st.integers(0, 300), min_size=1, max_size=24)


@given(processors)
def test_a_name_tells_its_processors_or_is_short(numbers: set[int]):
    name = bound_name("cpu:model", numbers)
    assert is_part(name)
    assert len(name) <= 70
    assert processors_of(name) in (numbers, None)


@given(processors, processors)
def test_other_processors_have_another_name(one: set[int], other: set[int]):
    assert (bound_name("cpu:model", one) == bound_name("cpu:model", other)) == (one == other)


def test_a_list_that_is_too_long_for_a_name_is_told_by_its_hash():
    primes = [n for n in range(2, 400) if all(n % k for k in range(2, n))]
    name = bound_name("cpu:model", primes)
    assert name.startswith("cpu:model@78-of-")
    assert is_part(name)
    assert processors_of(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "cpu:model",
        "gpu:GPU-8932f937",
        "cpu:package-0@intel-rapl:1",
        "cpu:model@0-999999",
        "cpu:model@",
        "a@1,",
        "a@9-3:0x",
    ],
)
def test_other_names_tell_no_processors(name: str):
    assert not processors_of(name)


@pytest.mark.parametrize(
    ("names", "covered"),
    [
        (["cpu:model@0-3", "cpu:model@4-7"], []),
        (["cpu:model", "cpu:model@4-7", "cpu:model@group-1"], ["cpu:model@4-7", "cpu:model@group-1"]),
        (["cpu:package-0", "cpu:model", "cpu:model@1"], ["cpu:model", "cpu:model@1"]),
        (["cpu:package-0@group-7", "cpu:model@1"], []),
        (["cpu:model@0-3", "cpu:model@2-5", "cpu:model@4-7"], ["cpu:model@2-5"]),
        (["cpu:model@0", "cpu:model@0-1", "gpu:0"], ["cpu:model@0"]),
        (["dram:model", "gpu:0"], []),
    ],
)
def test_what_others_count_is_left_out(names: list[str], covered: list[str]):
    found = overlap_of(names)
    assert found.covered == frozenset(covered)
    assert found.twice == ()


@given(st.lists(processors, max_size=6))
def test_no_processor_is_lost_and_a_pair_that_counts_twice_is_told(parts: list[set[int]]):
    names = {bound_name("cpu:model", numbers): numbers for numbers in parts}
    found = overlap_of(names)
    told = {name: numbers for name, numbers in names.items() if processors_of(name) is not None}
    kept = [numbers for name, numbers in told.items() if name not in found.covered]
    assert set().union(*kept) == set().union(*told.values())
    assert bool(found.twice) == (sum(map(len, kept)) > len(set().union(*kept)))
