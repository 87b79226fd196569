"""Recorded gift traces of three live rooms, and the reading of such files."""
