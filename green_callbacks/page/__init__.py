"""The page that compares runs: its data, its files, and the same page as one file.

The tab of TensorBoard and the command ``green-callbacks report`` show this page.
"""
