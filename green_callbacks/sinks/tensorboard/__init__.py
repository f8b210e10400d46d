"""The TensorBoard sink, with its event files, its charts, and a page on the origin of the numbers."""
