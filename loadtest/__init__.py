"""Load tests with Locust, and the audit that proves what they did to the ledger."""
