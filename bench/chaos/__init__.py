"""The long fault run: events, an ERP that misbehaves, workers killed with -9, and a judge that reads the ERP's own ledger."""
