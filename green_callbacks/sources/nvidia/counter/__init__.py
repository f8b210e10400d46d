"""The energy counter of an NVIDIA GPU, estimated between its refreshes.

.. include:: README.md
"""
