"""The append-only ledger of acts, each row chained to the one before by its hash. Must not import any app above the kernel."""
