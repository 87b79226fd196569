"""Gifts: the catalogue, and sending one."""
