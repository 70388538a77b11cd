"""Definitions as versions: files and screens write the same rows. Must not import the engine."""
