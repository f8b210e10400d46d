"""What people read: names, words and amounts, and how text of others is made safe to show."""

from green_callbacks.text.names import is_plain_name

__all__ = ["is_plain_name"]
