"""The top layer: overview, global search, navigation."""
