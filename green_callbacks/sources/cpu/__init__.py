"""Processors and memory: RAPL counters, or a model of their power."""
