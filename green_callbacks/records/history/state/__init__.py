"""The state of a history in a checkpoint, as plain JSON types. Long histories are thinned."""
