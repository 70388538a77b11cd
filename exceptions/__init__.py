"""Failures that are somebody's: tickets, routing, clocks, approvals. Must not import reconciliation or the console."""
