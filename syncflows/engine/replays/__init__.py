"""Replays: run again what ran before, one or many: chosen, previewed against the target, then carried out at a measured pace."""
