"""Rules that look for fraud in what the ledger has booked, and open cases; people decide them."""
