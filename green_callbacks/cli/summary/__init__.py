"""``green-callbacks summary``: what runs came to."""
