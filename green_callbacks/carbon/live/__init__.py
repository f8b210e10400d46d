"""Carbon intensity from web services: polite, bounded in time, and never without an answer."""
