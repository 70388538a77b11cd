"""Flows: their definitions (governance), their execution (engine), what they speak to (connectors), and a sandbox to try them on."""
