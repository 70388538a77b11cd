"""ASGI entry point, what the web server runs: `uvicorn meshline.asgi:application`."""

import os

from django.core.wsgi import get_wsgi_application
from django.utils.module_loading import import_string

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshline.settings")
wsgi = get_wsgi_application()  # sets Django up, which what is imported next needs
application = import_string("meshline.served.Application")(wsgi)
