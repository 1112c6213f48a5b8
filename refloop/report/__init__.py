"""What the ledger says, for people and for scripts."""
