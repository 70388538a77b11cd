"""Months that leave the live tables for compressed files, and come back: `moving` archives, `restoring` puts back, `policy` says which."""
