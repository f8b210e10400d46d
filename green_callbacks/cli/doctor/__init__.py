"""The examination behind ``green-callbacks doctor``, one file for each kind of thing that is looked at."""

from green_callbacks.cli.doctor.examination import Report, examine
from green_callbacks.cli.doctor.finding import Finding

__all__ = ["Finding", "Report", "examine"]
