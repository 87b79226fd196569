"""The book of record: double entry in PostgreSQL, the flush that fills it, and the proof that it is right.

All SQL of the project is in this package. Gifts arrive here from Redis by the flush; credits start here and go to
Redis by a numbered outbox.
"""
