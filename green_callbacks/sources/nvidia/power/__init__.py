"""The energy of an NVIDIA GPU by its power, integrated over time, where its energy counter cannot be used."""
