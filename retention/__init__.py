"""Data retention: what was done to files is kept on a ledger, where it can be proven and not be changed (thesis, 7)."""
