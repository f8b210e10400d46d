"""A few of the hostile files of ``make torture``."""

import logging
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import fuzz

TIMES, SEED = 25, 20_000


@pytest.mark.no_cover
@pytest.mark.parametrize("name", fuzz.KINDS)
def test_a_hostile_file_raises_nothing_foreign_and_hangs_nothing(name):
    logging.disable(logging.CRITICAL)
    try:
        assert dict(fuzz.KINDS[name](TIMES, SEED)) == {}
    finally:
        logging.disable(logging.NOTSET)
