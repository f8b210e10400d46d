import subprocess
import sys

import pytest
from support.child_environment import child_environment

from green_callbacks.data_report import Duplicates, Indexed, find_duplicates
from green_callbacks.errors import ConfigurationError


class Iterable:
    """A data set without positions."""


class IterableDataset:
    """Stands for the class of torch, which has ``__getitem__``, but no positions."""

    def __getitem__(self, index):
        raise NotImplementedError

    def __len__(self):
        return 3


def test_a_sample_gets_its_position_whatever_it_is():
    assert Indexed([(1.0, 2)])[0] == (1.0, 2, 0)
    assert Indexed([[1.0, 2]])[-1] == (1.0, 2, 0)
    assert Indexed([{"x": 1.0}])[0] == {"x": 1.0, "index": 0}
    assert Indexed(["text"])[0] == ("text", 0)
    assert Indexed([(1, 2), (3, 4), (5, 6)]).__getitems__([2, 0]) == [(5, 6, 2), (1, 2, 0)]


def test_a_data_set_that_reads_several_samples_at_once_still_does():
    class Several(list):
        def __getitems__(self, indices):
            return [("several", index) for index in indices]

    assert Indexed(Several([1, 2])).__getitems__([1]) == [("several", 1, 1)]


@pytest.mark.parametrize("dataset", [Iterable(), IterableDataset(), iter([1, 2])])
def test_a_data_set_without_positions_is_refused(dataset):
    with pytest.raises(ConfigurationError, match="needs a data set with positions"):
        Indexed(dataset)


def test_a_sample_with_an_index_of_its_own_is_refused():
    with pytest.raises(ConfigurationError, match="have an index already"):
        Indexed([{"index": 7}])[0]


def test_equal_samples_are_found_whatever_their_labels():
    data = [("a", 0), ("b", 0), ("a", 0), ("b", 1), ("a", 0), ("c", 0)]
    assert find_duplicates(data) == Duplicates(groups=((0, 2, 4), (1, 3)), conflicting=((1, 3),))
    assert find_duplicates(Indexed(data)).copies == 3


def test_in_mappings_labels_and_indices_are_no_input():
    data = [{"text": "a", "label": 0, "index": 0}, {"text": "a", "label": 1, "index": 1}, {"text": "b", "label": 1}]
    assert find_duplicates(data) == Duplicates(groups=((0, 1),), conflicting=((0, 1),))


def test_numbers_of_other_kinds_and_nested_values_differ():
    data = [(1, 0), (1.0, 0), ("1", 0), (b"1", 0), ((1,), 0), (((1,),), 0), ([1, 1], 0), (None, 0), (True, 0), ({}, 0)]
    assert find_duplicates(data) == Duplicates()
    assert find_duplicates([]) == Duplicates()


def test_a_user_can_tell_input_and_label_apart():
    data = [("a.png", "x", 0), ("b.png", "x", 1)]
    assert find_duplicates(data, split=lambda sample: (sample[1], sample[2])).conflicting == ((0, 1),)


def test_a_data_set_that_changes_its_samples_is_refused():
    class Random(list):
        drawn = 0

        def __getitem__(self, index):
            self.drawn += 1
            return self.drawn, 0

    with pytest.raises(ConfigurationError, match="without random augmentation"):
        find_duplicates(Random([1, 2, 3]))


def test_objects_whose_bytes_are_not_known_are_refused():
    with pytest.raises(ConfigurationError, match="The bytes of a object are not known"):
        find_duplicates([object()])


def test_without_numpy_there_is_one_sentence():
    script = """
import sys
sys.modules["numpy"] = None
from green_callbacks import DataReport
try:
    DataReport()
except ValueError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=child_environment(), timeout=60
    )
    assert done.stdout == "A DataReport needs NumPy. Run pip install 'green-callbacks[data]'.\n"


@pytest.mark.parametrize("sample", [("premise", "hypothesis", 0), [5, 7, 9]])
def test_of_more_than_two_elements_the_label_must_be_named(sample):
    with pytest.raises(ConfigurationError, match="which of them is the label"):
        find_duplicates([sample])
    assert find_duplicates([sample] * 2, split=lambda each: (each[:-1], each[-1])).groups == ((0, 1),)


def test_the_position_in_a_subset_of_an_indexed_set_is_no_label():
    class Subset:
        dataset = Indexed([("cat", 0), ("dog", 1), ("cat", 0)])

        def __len__(self):
            return 3

        def __getitem__(self, position):
            return self.dataset[position]

    assert find_duplicates(Subset()) == ((((0, 2),)), ())
