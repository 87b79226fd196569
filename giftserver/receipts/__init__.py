"""Signed receipts of gifts: proof in a person's hand that the ledger booked a gift, checkable without the server."""
