"""What the sources of several makers share."""
