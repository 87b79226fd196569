"""The invariants of the ledger, each as a check that can run on a live system."""
