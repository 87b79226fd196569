"""Redis and Valkey Cluster: a client that looks like that of one server, for the ledger's and the rooms' Redis."""
