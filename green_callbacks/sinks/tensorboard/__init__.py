"""TensorBoard: event files, charts, and a page of provenance."""
