"""Reports of a finished run for other tools.

They are a model card, a row with CodeCarbon's columns, and a paragraph for a paper.
"""

from green_callbacks.exports.codecarbon_csv import COLUMNS, codecarbon_csv
from green_callbacks.exports.methods_paragraph import methods
from green_callbacks.exports.model_card import co2_eq_emissions, front_matter, write_card

__all__ = [
    "COLUMNS",
    "co2_eq_emissions",
    "codecarbon_csv",
    "front_matter",
    "methods",
    "write_card",
]
