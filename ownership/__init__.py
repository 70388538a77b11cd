"""People, teams, systems and who owns what. Must not import syncflows, exceptions or reconciliation."""
