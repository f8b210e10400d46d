"""The power of an NVIDIA GPU, integrated over time where its energy counter cannot be used."""
