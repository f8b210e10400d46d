"""What an accountant is given, and where its run stands when it starts."""
