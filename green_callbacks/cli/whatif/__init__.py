"""``green-callbacks whatif``: what a run would have emitted elsewhere."""
