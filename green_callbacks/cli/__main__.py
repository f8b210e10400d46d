"""Runs the command as ``python -m green_callbacks.cli``."""

import sys

from green_callbacks.cli import main

sys.exit(main())
