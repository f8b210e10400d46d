"""Without the extra, a live provider says what to install; everything else works."""

from importlib.util import find_spec

import pytest

from green_callbacks import carbon
from green_callbacks.errors import ConfigurationError


@pytest.mark.skipif(find_spec("httpx2") is not None, reason="the extra is installed")
def test_the_extra_is_named():
    with pytest.raises(ConfigurationError, match=r"httpx2.* pip install 'green-callbacks\[live\]'"):
        carbon.UkCarbonIntensity()


def test_a_wrong_option_is_found_before():
    with pytest.raises(ConfigurationError, match="zone"):
        carbon.ElectricityMaps("germany", "token")


def test_no_other_name_is_there():
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        carbon.Nonsense  # noqa: B018
