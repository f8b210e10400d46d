"""What the tests of disks need."""

import pytest
from support import slow_disk


@pytest.fixture
def disk():
    """The module that makes disks slow, where there is a C compiler for it."""
    if slow_disk.compiler() is None:
        pytest.skip("a slow disk needs Linux and a C compiler (cc)")
    return slow_disk
