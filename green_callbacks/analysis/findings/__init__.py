"""Findings, which tell what made a run dearer than it had to be, each with its number and a remedy.

They are few and sure. Each needs enough measured time, and says nothing where a fact is unknown.
"""

from green_callbacks.analysis.findings.all_findings import findings
from green_callbacks.analysis.findings.finding import Finding

__all__ = ["Finding", "findings"]
