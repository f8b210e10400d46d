"""Carbon intensities from web services.

The providers ask rarely, wait a limited time, and always have an answer.
"""
