"""Shared budgets in a database, which is an SQLite file for one machine, or PostgreSQL for a cluster.

SQLAlchemy is imported when a registry is first used. The extra ``registry`` installs it, with a driver for PostgreSQL.
"""

from green_callbacks.registry.sql.address import DatabaseAddress, hide_password
from green_callbacks.registry.sql.registry import SqlRegistry

__all__ = ["DatabaseAddress", "SqlRegistry", "hide_password"]
