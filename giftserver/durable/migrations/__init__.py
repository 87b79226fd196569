"""Alembic migrations of the durable ledger, written by hand."""
