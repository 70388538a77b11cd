"""The script's settings: as `startproject` makes them, less what a page-less project does not need; connections are kept."""

from __future__ import annotations

import os

import dj_database_url

SECRET_KEY = "the-script-has-no-sessions-and-no-users"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["bench.contenders.script"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "bench.contenders.script.urls"
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"], conn_max_age=None)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

CELERY_BROKER_URL = os.environ["REDIS_URL"].replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Celery ends Django's connection after each task unless told how often to use one again; few projects do.
CELERY_DB_REUSE_MAX = int(os.environ.get("BENCH_SCRIPT_DB_REUSE", "0")) or None
