"""A history in a checkpoint: rows as plain JSON types, and long histories thinned."""
