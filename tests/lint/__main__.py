"""Runs all checks of the house: ``PYTHONPATH=tests python -m lint`` at the top of the tree."""

import sys

from lint import constants, examples, rooms, sentences, sizes, spelling

sys.exit(
    rooms.main() | sizes.main() | constants.main() | examples.main() | spelling.main() | sentences.main([]),
)
