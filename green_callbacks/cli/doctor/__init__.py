"""``green-callbacks doctor``, with one file for each part of the machine that it examines.

Nothing is imported here, so that the other sub-commands start fast.
"""
