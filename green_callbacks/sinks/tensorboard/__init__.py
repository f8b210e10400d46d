"""The TensorBoard sink: event files, charts, and a page on the origin of the numbers."""
