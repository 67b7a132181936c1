"""Django settings. What an operator may set is in `playground.environment`; the rest is decided here."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
import structlog
from csp.constants import NONCE, SELF
from kombu import Queue

from engine.steady import Steady
from playground.environment import env

BASE_DIR = Path(__file__).resolve().parent.parent
STATE = env.state


def _secret_key() -> str:
    if env.secret_key:
        return env.secret_key
    path = STATE / "secrets" / "secret_key"
    if not path.exists():
        raise SystemExit(f"No secret key: set PLAYGROUND_SECRET_KEY, or run `make setup`, which makes {path}.")
    return path.read_text().strip()


SECRET_KEY = _secret_key()
DEBUG = env.debug
ALLOWED_HOSTS = env.host_list

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "csp",
    "django_structlog",
    "django_vite",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "engine",
    "lessons",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "lessons.maintenance.MaintenanceMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
]

ROOT_URLCONF = "playground.urls"
ASGI_APPLICATION = "playground.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "lessons" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "csp.context_processors.nonce",
                "lessons.languages.context",
            ],
        },
    },
]

# --- Database -----------------------------------------------------------------------------------------------------------------
SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": STATE / "db" / "playground.sqlite3",
    "CONN_MAX_AGE": None,
    "OPTIONS": {
        # A write lock is taken when a transaction begins, so two writers wait for each other instead of failing half-way.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    },
}
DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(env.database_url, conn_max_age=60, conn_health_checks=True) if env.database_url else SQLITE
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis, Channels, Celery --------------------------------------------------------------------------------------------------
REDIS_URL = env.redis
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        # redis-py's default socket timeout would end an idle subscription.
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None}]},
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"serializer": "playground.cache.JsonSerializer"},
    }
}

NODE = env.node
CELERY_BROKER_URL = env.broker
CELERY_TASK_DEFAULT_QUEUE = f"engine.{NODE}"
# A worker takes from its two queues in turn, so a hundred starts that wait do not hold up the looking after what runs.
TENDING_QUEUE = f"tend.{NODE}"
CELERY_TASK_QUEUES = [Queue(CELERY_TASK_DEFAULT_QUEUE), Queue(TENDING_QUEUE)]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    # A tick that an absent worker missed is of no use later: it expires.
    "tick": {"task": "engine.tasks.tick", "schedule": Steady(timedelta(seconds=5)), "options": {"queue": TENDING_QUEUE, "expires": 5}},
    "ports": {
        "task": "engine.tasks.find_ports",
        "schedule": Steady(timedelta(seconds=2)),
        "kwargs": {"everywhere": True},
        "options": {"queue": TENDING_QUEUE, "expires": 2},
    },
}

# --- Engine -------------------------------------------------------------------------------------------------------------------
RUNTIME = env.runtime
UNPRIVILEGED_USER = env.user
WARM_POOL = env.pool_sizes
MAX_SANDBOXES = env.max_sandboxes
MAX_SANDBOXES_PER_USER = env.max_per_user
SAVED_DISK = env.saved_bytes
SAVED_DAYS = env.saved_days
METRICS_TOKEN = env.metrics_token

# Where a sandbox's ports are shown: engine.preview.
PREVIEW_HOST, _, PREVIEW_PORT = env.preview_host.lower().strip(".").partition(":")
PREVIEW_SCHEME = "https" if env.behind_tls else "http"
# `*.localhost` is the visitor's own computer: good for a site that only this one reaches.
PREVIEWS = PREVIEW_HOST != "localhost" or (not env.behind_tls and env.bind in ("127.0.0.1", "::1", "localhost"))

# --- Accounts -----------------------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*"]
# The audit log's names for the site itself and for whoever is at its command line.
ACCOUNT_USERNAME_BLACKLIST = ["engine", "operator"]
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
MFA_ADAPTER = "lessons.accounts.adapter.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Playground"
MFA_TOTP_TOLERANCE = 1  # a code of half a minute ago: telephones' clocks differ
# Addresses need no verification here, and who has none shall have a second factor all the same.
MFA_ALLOW_UNVERIFIED_EMAIL = True
# Browsers make passkeys for https and for localhost only; the server must not refuse the latter.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not env.behind_tls
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"

if env.email_url:
    from urllib.parse import unquote, urlsplit

    _mail = urlsplit(env.email_url)
    EMAIL_HOST, EMAIL_PORT = _mail.hostname or "localhost", _mail.port or 587
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_mail.username or ""), unquote(_mail.password or "")
    EMAIL_USE_TLS = _mail.scheme != "smtp+plain"
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = STATE / "log" / "mail"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.email_from

# --- Browser-side security ----------------------------------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
# Names of their own, so that they can be told from those of a learner's server. With __Host- a browser takes them from this host alone:
# a page of a preview, which may share the parent domain, cannot plant one (RFC 6265bis section 4.1.3.2).
_PREFIX = "__Host-" if env.behind_tls else ""
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_PREFIX}playground-session", f"{_PREFIX}playground-csrf"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
if env.behind_tls:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 31536000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        # xterm.js writes <style> elements without a nonce.
        "style-src": [SELF, "'unsafe-inline'"],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        # A port of the machine beside its lesson. The site's own address only sends the frame on to it.
        "frame-src": [SELF, f"{PREVIEW_SCHEME}://*.{PREVIEW_HOST}:*"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": [SELF],
        "frame-ancestors": ["'none'"],
    }
}

# --- Static files -------------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = STATE / "static"
STATICFILES_DIRS = [path for path in [BASE_DIR / "frontend" / "dist"] if path.is_dir()]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # Vite has hashed its names already: hashing them again would load the entry module twice.
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_IMMUTABLE_FILE_TEST = r"^.+[-.][0-9a-zA-Z_-]{8,12}\..+$"
DJANGO_VITE = {
    "default": {
        "dev_mode": False,
        "manifest_path": BASE_DIR / "frontend" / "dist" / ".vite" / "manifest.json",
        "static_url_prefix": "",
    }
}
MEDIA_ROOT = STATE / "media"

# --- Language, time, logs -----------------------------------------------------------------------------------------------------
LANGUAGE_CODE = env.language
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.time_zone
USE_I18N = USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processor": structlog.processors.JSONRenderer(),
            "foreign_pre_chain": [
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso"),
            ],
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "uvicorn": {"level": "WARNING"},
        "django_structlog": {"level": "WARNING"},
        # A line per task, every five seconds and more, says nothing: the tasks log what they do.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
