"""PostgreSQL 18 and Valkey 9 from wheels, in the background, for demo, development and tests.

Settings need what `service.ensure_started` answers, so nothing here may import Django (the management command
apart) or any other part of Meshline. Not for production: there, DATABASE_URL and REDIS_URL name real servers.
"""
