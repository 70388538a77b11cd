"""The bottom layer: errors, ids, fingerprints, money, expressions, transitions, jobs, permissions, API envelope. Knows no app."""
