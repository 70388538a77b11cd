"""Django settings. Everything that differs between installations comes from the environment (see docs/settings.md)."""

from __future__ import annotations

import os
from pathlib import Path

import dj_database_url

from meshline.demo.logins import LOGINS
from meshline.environment import BadEnvironment, Environment, local_secret

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = BASE_DIR / ".meshline"
env = Environment(os.environ)

DEBUG = env.flag("DEBUG", default=False)
MESHLINE_DEMO = env.flag("MESHLINE_DEMO", default=False)
MESHLINE_DEMO_LOGINS = [{**login, "role": login["title"]} for login in LOGINS] if MESHLINE_DEMO else []
SECRET_KEY = os.environ.get("SECRET_KEY", "").strip() or local_secret(root=BASE_DIR)
if len(SECRET_KEY) < 32:
    raise BadEnvironment(
        "SECRET_KEY", "is shorter than 32 characters", "$(python -c 'import secrets; print(secrets.token_urlsafe(50))')"
    )
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", default="localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS", default="")

DATABASE_URL = env.url(
    "DATABASE_URL", schemes=("postgres", "postgresql"), example="postgresql://user:secret@db:5432/meshline"
)
REDIS_URL = env.url("REDIS_URL", schemes=("redis", "rediss", "unix"), example="redis://valkey:6379/0")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "django_filters",
    "template_partials",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
    "csp",
    "meshline.kernel",
    "meshline.audit",
    "meshline.embedded",
    "ownership",
    "syncflows.governance",
    "syncflows.engine",
    "syncflows.sandbox",
    "exceptions",
    "reconciliation",
    "meshline.console",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "meshline.kernel.requests.RequestIdMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "meshline.console.outages.OutageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "ownership.middleware.PersonTimeZoneMiddleware",
]

ROOT_URLCONF = "meshline.urls"
WSGI_APPLICATION = "meshline.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "meshline.console.navigation.navigation",
            ],
        },
    }
]

# Each process keeps its own small pool: a web thread or a worker's writer never opens a connection per request.
DATABASE = dj_database_url.parse(DATABASE_URL)
POOL = {
    "min_size": 0,
    "max_size": env.whole("MESHLINE_DB_POOL", default=12, least=2, most=200),
    "timeout": env.whole("MESHLINE_DB_WAIT_S", default=5, least=1, most=60),
}
DATABASES = {
    "default": {**DATABASE, "OPTIONS": {**DATABASE.get("OPTIONS", {}), "pool": POOL}, "CONN_HEALTH_CHECKS": True}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "ownership.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "static/"
STATIC_ROOT = STATE_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.flag("MESHLINE_HTTPS", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SESSION_COOKIE_SECURE else None
CSRF_FAILURE_VIEW = "meshline.console.views_errors.csrf_failed"
CONTENT_SECURITY_POLICY = {
    # The admin (unfold runs on Alpine) brings its own inline script and is rarely visited.
    "EXCLUDE_URL_PREFIXES": ["/admin/"],
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "meshline",
    }
}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False  # the rows are the truth: a lost doorbell is rung again by the sweeper
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = env.text("MESHLINE_TASK_QUEUE", default="meshline", example="meshline")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# polling_interval: an idle worker's question to the broker waits so many seconds for an answer before it is asked again; a bell answers it at once.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 15,
    "socket_connect_timeout": 2,
    "max_retries": 1,
    "polling_interval": 10,
}
CELERY_TASK_PUBLISH_RETRY = False
# Celery would close the pool with every task, and open a connection for the next: see meshline.kernel.task_connections.
CELERY_DB_REUSE_MAX = 10**9
CELERY_BEAT_SCHEDULE_FILENAME = str(STATE_DIR / "celerybeat-schedule")
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "ownership.authentication.BearerToken",
        "ownership.authentication.ConsoleSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["ownership.authentication.HasScope"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["meshline.kernel.api.parsers.ExactJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "meshline.kernel.api.paging.NewestFirst",
    "DEFAULT_FILTER_BACKENDS": ["meshline.kernel.api.query.StrictFilters"],
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS answers nothing: the operations are described at /api/v1/schema/
    "URL_FORMAT_OVERRIDE": None,  # `format` is no parameter of ours, so it is refused like any other unknown name
    "EXCEPTION_HANDLER": "meshline.kernel.api.problems.problem_response",
    "PAGE_SIZE": 50,
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Meshline API",
    "DESCRIPTION": "Events in; flows, runs with lineage, tickets, approvals, reconciliation out. Errors are RFC 9457 problem documents.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "/static/console/mark.svg",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "filter": True, "validatorUrl": None},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "meshline.kernel.api.schema.add_what_all_share",
    ],
    "ENUM_NAME_OVERRIDES": {
        "ExceptionClass": "syncflows.enums.ExceptionClass",
        "Severity": "syncflows.enums.Severity",
        "HoldReason": "syncflows.enums.HoldReason",
        "EventStatus": "syncflows.engine.enums.EventStatus",
        "RunStatus": "syncflows.engine.enums.RunStatus",
        "RunAct": "syncflows.engine.control.enums.RunAct",
        "StepStatus": "syncflows.engine.enums.StepStatus",
        "AttemptStatus": "syncflows.engine.enums.AttemptStatus",
        "FactKind": "syncflows.engine.enums.FactKind",
        "StagedStatus": "syncflows.engine.enums.StagedStatus",
        "StagedVerdict": "syncflows.engine.enums.StagedVerdict",
        "StagedAction": "syncflows.engine.enums.StagedAction",
        "GateState": "syncflows.engine.enums.GateState",
        "ReplayStatus": "syncflows.engine.replays.enums.ReplayStatus",
        "ReplayVerdict": "syncflows.engine.replays.enums.ReplayVerdict",
        "ReplayOutcome": "syncflows.engine.replays.enums.ReplayOutcome",
        "ReplayVersions": "syncflows.engine.replays.enums.Versions",
        "ReplayCorrection": "syncflows.engine.replays.enums.Correction",
        "VersionState": "syncflows.governance.enums.VersionState",
        "SystemState": "ownership.enums.SystemState",
        "Circuit": "ownership.enums.Circuit",
        "CircuitEvent": "syncflows.engine.enums.CircuitEvent",
        "SystemAct": "syncflows.engine.enums.SystemAct",
        "OwnerRole": "ownership.enums.OwnerRole",
        "TicketStatus": "exceptions.enums.TicketStatus",
        "Resolution": "exceptions.enums.Resolution",
        "EntryKind": "exceptions.enums.EntryKind",
        "ApprovalStatus": "exceptions.enums.ApprovalStatus",
        "Decision": "exceptions.enums.Decision",
        "BulkAction": "exceptions.enums.BulkAction",
        "ReconciliationStatus": "reconciliation.enums.ReconciliationStatus",
        "DiscrepancyKind": "reconciliation.enums.DiscrepancyKind",
        "DiscrepancyStatus": "reconciliation.enums.DiscrepancyStatus",
    },
}
SIMPLE_HISTORY_HISTORY_ID_USE_UUID = False

MESHLINE_INGEST_LIMIT_BYTES = env.whole(
    "MESHLINE_INGEST_LIMIT_BYTES", default=6 * 1024 * 1024, least=1024, most=64 * 1024 * 1024
)
MESHLINE_BACKLOG_HIGH = env.whole("MESHLINE_BACKLOG_HIGH", default=100_000, least=10, most=100_000_000)
MESHLINE_WEB_THREADS = env.whole("MESHLINE_WEB_THREADS", default=16, least=2, most=200)
MESHLINE_BODY_WAIT_S = env.whole("MESHLINE_BODY_WAIT_S", default=60, least=1, most=3600)
MESHLINE_BATCH_SIZE = env.whole("MESHLINE_BATCH_SIZE", default=128, least=1, most=1000)
MESHLINE_WRITE_THREADS = env.whole("MESHLINE_WRITE_THREADS", default=8, least=1, most=64)
MESHLINE_PROMOTING_MAX = env.whole("MESHLINE_PROMOTING_MAX", default=500, least=1, most=100_000)
MESHLINE_WORKER_NICE = env.whole("MESHLINE_WORKER_NICE", default=5, least=0, most=19)
MESHLINE_LEASE_S = env.whole("MESHLINE_LEASE_S", default=60, least=2, most=3600)
MESHLINE_PARTITIONS_AHEAD = env.whole("MESHLINE_PARTITIONS_AHEAD", default=2, least=1, most=24)
# While Valkey is lost, each worker process keeps to its part of every limit: one of so many, or of as many as were seen, whichever is more.
MESHLINE_LIMITS_DIVIDED_BY = env.whole("MESHLINE_LIMITS_DIVIDED_BY", default=4, least=1, most=1000)
MESHLINE_REPLAY_MOST = env.whole("MESHLINE_REPLAY_MOST", default=100_000, least=1, most=1_000_000)
MESHLINE_PATIENCE_S = env.whole("MESHLINE_PATIENCE_S", default=60, least=1, most=86_400)
MESHLINE_POISON_AFTER = env.whole("MESHLINE_POISON_AFTER", default=3, least=1, most=100)
MESHLINE_REPORTING_CURRENCY = env.text("MESHLINE_REPORTING_CURRENCY", default="USD", example="EUR")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("MESHLINE_LOG_LEVEL", default="INFO", example="WARNING")},
    # psycopg's pool repeats each failed try to connect; whoever asked for the connection says so once.
    "loggers": {"httpx": {"level": "WARNING"}, "httpcore": {"level": "WARNING"}, "psycopg.pool": {"level": "ERROR"}},
}
