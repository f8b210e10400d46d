"""What training shows of each sample: known, forgotten, never learned, probably mislabeled, or there twice.

>>> from green_callbacks.data_report import DataReport, Indexed
>>> data = Indexed([(0.5, 0), (0.7, 1)])
>>> report = DataReport()
>>> report.observe(index=[0, 1], losses=[0.1, 2.0])

In a loop, ``DataReport(accountant)`` also tells the energy, and its file is written when the accountant closes. In
Lightning, pass ``DataReport()`` of :mod:`green_callbacks.lightning` to the trainer. The report needs NumPy, which
``pip install 'green-callbacks[data]'`` brings.
"""

from green_callbacks.data_report.duplicates import Duplicates, find_duplicates
from green_callbacks.data_report.indexed import Indexed
from green_callbacks.data_report.report import DataReport

__all__ = ["DataReport", "Duplicates", "Indexed", "find_duplicates"]
