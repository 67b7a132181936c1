"""The environment variables the project reads: one documented list, each with a default that works on a fresh machine."""

import socket
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from engine.runtime.spec import parse_size


class Environment(BaseSettings):
    """Read from `PLAYGROUND_*`; see docs/configuration.md."""

    model_config = SettingsConfigDict(env_prefix="PLAYGROUND_", extra="ignore")

    state: Path = Field(default=Path("/var/lib/playground"), description="The one directory all state lives in.")
    port: int = Field(default=8000, ge=1, le=65535, description="TCP port of the site.")
    bind: str = Field(default="127.0.0.1", description="Address the site listens on.")
    hosts: str = Field(
        default="localhost,127.0.0.1,[::1]",
        description="Host names the site answers to, separated by commas. Also the allowed WebSocket origins.",
    )
    preview_host: str = Field(
        default="localhost",
        pattern=r"^[A-Za-z0-9.-]+(:\d+)?$",
        description="Ports of sandboxes are shown under <port>-<key>.<this>; it may name the port of its own (host:port).",
    )
    behind_tls: bool = Field(default=False, description="The site is reached through a TLS proxy: secure cookies, HSTS, X-Forwarded-Proto.")
    debug: bool = Field(default=False, description="Django debug pages. Never on a site that others can reach.")
    secret_key: str = Field(default="", description="Django's secret key; empty: read from secrets/secret_key, made on first run.")
    database_url: str = Field(default="", description="A database URL; empty: SQLite under the state directory.")
    redis_url: str = Field(default="", description="A Redis URL; empty: the private Redis on a socket in the state directory.")
    node: str = Field(default_factory=socket.gethostname, description="This node's name; names its Celery queue engine.<node>.")
    user: str = Field(default="playground", description="The unprivileged user of web, beat, redis and the registry.")
    demo_password: str = Field(default="", description="Password of the demo accounts; empty: random, kept in secrets/demo_password.")
    email_url: str = Field(default="", description="smtp://user:password@host:port for password resets; empty: e-mails go to log/mail/.")
    email_from: str = Field(default="playground@localhost", description="Sender of the site's e-mails.")
    runtime: str = Field(default="runc", description="Path or name of the OCI runtime.")
    pool: str = Field(default="linux=1,docker=1", description="Warm sandboxes kept ready per image, as image=count separated by commas.")
    max_sandboxes: int = Field(default=0, ge=0, description="Most sandboxes on this node at once; 0: from the host's memory.")
    max_per_user: int = Field(default=2, ge=1, description="Most sandboxes one learner may run at once.")
    saved_disk: str = Field(default="4GiB", description="What one learner's saved machines may take on disk, where no quota says less.")
    saved_days: int = Field(default=90, ge=0, description="Days a saved machine is kept without being resumed; 0: for good.")
    metrics_token: str = Field(default="", description="Bearer token for /metrics; empty: for signed-in staff only.")
    registry_upstream: str = Field(
        default="auto",
        description="Registry the lab registry caches: a URL, `none`, or `auto` (Docker Hub if its name resolves here).",
    )
    language: str = Field(default="en", description="Language of the interface.")
    time_zone: str = Field(default="UTC", description="Time zone of the interface.")

    @property
    def redis(self) -> str:
        """Redis URL in redis-py's form, with the private socket as the default."""
        return self.redis_url or f"unix://{self.state}/run/redis/redis.sock"

    @property
    def broker(self) -> str:
        """The same in kombu's form, which spells a socket `redis+socket://`."""
        return self.redis.replace("unix://", "redis+socket://", 1)

    @property
    def host_list(self) -> list[str]:
        return [host.strip() for host in self.hosts.split(",") if host.strip()]

    @property
    def saved_bytes(self) -> int:
        """Raises InvalidSpec where it is not a size."""
        return parse_size(self.saved_disk)

    @property
    def pool_sizes(self) -> dict[str, int]:
        """Warm sandboxes per image. Raises ValueError where an entry is not `image=count`."""
        sizes = {}
        for entry in filter(None, (part.strip() for part in self.pool.split(","))):
            image, sign, count = entry.partition("=")
            if not sign or not count.isdigit():
                raise ValueError(f"PLAYGROUND_POOL: {entry!r} is not image=count, for example linux=1,docker=2")
            sizes[image] = int(count)
        return sizes


env = Environment()
