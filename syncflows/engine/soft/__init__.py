"""The soft ledger: documents that are planned and kept instead of written, until a person or a gate promotes them. Never writes outside itself."""
