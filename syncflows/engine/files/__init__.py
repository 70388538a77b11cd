"""Files as a source of events: CSV, JSON Lines and JSON arrays, in any encoding, streamed, row by row, resumable.

A bad row is one bad row: it is quarantined with its line, and the rest goes on.
"""
