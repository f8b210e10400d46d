"""The data set with positions, as a data set of torch."""

from typing import Any

from torch.utils.data import Dataset

from green_callbacks.data_report import Indexed as AnyIndexed


class Indexed(AnyIndexed, Dataset[Any]):
    __doc__ = AnyIndexed.__doc__
