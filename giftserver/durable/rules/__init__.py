"""What each rule reads from the ledger, and the cases that its findings open."""
