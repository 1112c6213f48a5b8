"""The database under the ledger: who opens, locks, begins, checks and backs up."""
