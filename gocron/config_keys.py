"""What the settings are called: in ``conf/app.ini``, in the environment, on the command line.

Used by ``config`` and ``config_sources``; others import ``KEYS`` from ``config``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KEYS: Mapping[str, tuple[str, str]] = {
    # setting: (key in the section [default] of app.ini, environment variable)
    "db.engine": ("db.engine", "GOCRON_DB_ENGINE"),
    "db.host": ("db.host", "GOCRON_DB_HOST"),
    "db.port": ("db.port", "GOCRON_DB_PORT"),
    "db.user": ("db.user", "GOCRON_DB_USER"),
    "db.password": ("db.password", "GOCRON_DB_PASSWORD"),
    "db.database": ("db.database", "GOCRON_DB_DATABASE"),
    "db.prefix": ("db.prefix", "GOCRON_DB_PREFIX"),
    "db.charset": ("db.charset", "GOCRON_DB_CHARSET"),
    "db.max_idle_conns": ("db.max.idle.conns", "GOCRON_DB_MAX_IDLE_CONNS"),
    "db.max_open_conns": ("db.max.open.conns", "GOCRON_DB_MAX_OPEN_CONNS"),
    "web_host": ("web.host", "GOCRON_WEB_HOST"),
    "web_port": ("web.port", "GOCRON_WEB_PORT"),
    "web_threads": ("web.threads", "GOCRON_WEB_THREADS"),
    "allow_ips": ("allow_ips", "GOCRON_ALLOW_IPS"),
    "app_name": ("app.name", "GOCRON_APP_NAME"),
    "app_lang": ("app.lang", "GOCRON_APP_LANG"),
    "auth_secret": ("auth_secret", "GOCRON_AUTH_SECRET"),
    "secret_key": ("secret_key", "GOCRON_SECRET_KEY"),
    "metrics_token": ("metrics.token", "GOCRON_METRICS_TOKEN"),
    "trusted_proxies": ("web.trusted_proxies", "GOCRON_TRUSTED_PROXIES"),
    "node_name": ("node.name", "GOCRON_NODE_NAME"),
    "timezone": ("timezone", "GOCRON_TIMEZONE"),
    "lease_s": ("election.lease", "GOCRON_LEASE"),
    "renew_s": ("election.renew", "GOCRON_RENEW"),
    "grace_s": ("election.grace", "GOCRON_GRACE"),
    "poll_s": ("election.poll", "GOCRON_POLL"),
    "misfire_grace_s": ("misfire.grace", "GOCRON_MISFIRE_GRACE"),
    "max_running": ("concurrency.queue", "GOCRON_MAX_RUNNING"),
    "drain_s": ("drain.timeout", "GOCRON_DRAIN_TIMEOUT"),
    "output_limit": ("output.limit", "GOCRON_OUTPUT_LIMIT"),
    "allow_root": ("allow_root", "GOCRON_ALLOW_ROOT"),
    "http_allow_networks": ("http.allow_networks", "GOCRON_HTTP_ALLOW_NETWORKS"),
    "http_deny_networks": ("http.deny_networks", "GOCRON_HTTP_DENY_NETWORKS"),
    "log_format": ("log.format", "GOCRON_LOG_FORMAT"),
    "log_level": ("log.level", "GOCRON_LOG_LEVEL"),
    "admin_username": ("admin.username", "GOCRON_ADMIN_USERNAME"),
    "admin_password": ("admin.password", "GOCRON_ADMIN_PASSWORD"),
    "admin_email": ("admin.email", "GOCRON_ADMIN_EMAIL"),
}

OPTIONS = {"web_host": "--host", "web_port": "--port"}
"""Settings that ``gocron web`` also takes on its command line."""

SECRETS = frozenset({"db.password", "auth_secret", "secret_key", "metrics_token", "admin_password"})
"""Never shown; and an empty one is an empty one, not one that was left out."""

ENVIRONMENT = "environment"
COMMAND_LINE = "command line"
DEFAULT = "default"


@dataclass(frozen=True)
class Given:
    """A setting as somebody wrote it: what it is called there, the text, and where that is."""

    label: str
    text: str
    place: str


Raw = dict[str, Given]
"""By name of the setting."""
