"""Coins in: prices, payments, the providers they go through, and what becomes of each."""
