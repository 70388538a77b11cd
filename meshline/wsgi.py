"""WSGI entry point, for servers that speak nothing else: a thread holds each request from its first byte to its commit (see meshline/asgi.py)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshline.settings")
application = get_wsgi_application()
