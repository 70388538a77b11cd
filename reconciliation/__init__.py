"""Do both systems agree? Compare, runs, discrepancies, and their proof. Must not import the console."""
