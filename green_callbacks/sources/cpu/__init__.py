"""Processors and memory, by RAPL counters or by a model of their power."""
