"""Meshline: carries each business trigger to its outcome, with proof."""
