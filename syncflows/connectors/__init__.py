"""Code that speaks to outside systems. Knows nothing of runs, tickets or the database."""
