"""The processes of one installation: what each is started with, as whom, and how one sees that it is ready."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.installation import Installation
from engine.runtime.network import REGISTRY_PORT
from playground.environment import env

Ready = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class Program:
    """One process. `ready` answers whether it serves already; it is asked until it does, at most `deadline` seconds."""

    name: str
    argv: tuple[str, ...]
    ready: Ready
    deadline: float = 20.0


async def _alive() -> bool:
    """Nothing to ask: the process only has to stay up. What it does shows in /healthz, which is asked last."""
    return True


async def _asked(connection: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]], question: bytes) -> bytes:
    """Send a question, return the whole answer, or nothing where nobody answers."""
    try:
        async with asyncio.timeout(3):
            reader, writer = await connection
            try:
                writer.write(question)
                return await reader.read(65536)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return b""


def redis_answers(socket: Path) -> Ready:
    async def ready() -> bool:
        return (await _asked(asyncio.open_unix_connection(str(socket)), b"PING\r\n")).startswith(b"+PONG")

    return ready


def accepts(host: str, port: int) -> Ready:
    async def ready() -> bool:
        return (await _asked(asyncio.open_connection(host, port), b"GET /v2/ HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.")

    return ready


def reachable(bind: str) -> str:
    """An address to reach a listener at: the wildcard is not one."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104 - compared, not bound


async def health(installation: Installation) -> dict[str, str]:
    """What /healthz says, or nothing where nobody answers."""
    question = f"GET /healthz HTTP/1.0\r\nHost: {env.host_list[0]}\r\n\r\n".encode()
    answer = await _asked(asyncio.open_connection(reachable(installation.bind), installation.port), question)
    _, _, body = answer.partition(b"\r\n\r\n")
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def programs(installation: Installation, gateway: str) -> list[Program]:
    """Every process, in the order of their start."""
    state = installation.state
    python = sys.executable
    drop = (python, "-m", "deploy.as_user", "--user", installation.user)
    drop_in_app = (*drop, "--app", str(state / "app"), "--")
    redis_home = state / "run" / "redis"
    redis = Program(
        "redis",
        (
            *(*drop, "--", "redis-server", "--port", "0", "--unixsocket", str(redis_home / "redis.sock"), "--unixsocketperm", "700"),
            *("--save", "", "--appendonly", "no", "--dir", str(redis_home), "--daemonize", "no"),
        ),
        redis_answers(redis_home / "redis.sock"),
    )
    return [
        *([] if env.redis_url else [redis]),
        Program(
            "registry",
            (*drop_in_app, python, "-m", "deploy.registry"),
            accepts(gateway, REGISTRY_PORT),
        ),
        Program(
            "engine",
            # The parent-death signal ends the worker with a supervisor that was killed; sandboxes and terminals live on.
            (
                *("setpriv", "--pdeathsig", "TERM", "--", python, "-m", "celery", "-A", "playground", "worker"),
                *("-n", f"engine@{env.node}", "--concurrency", "4", "--loglevel", "INFO"),
                *("--without-gossip", "--without-mingle"),
            ),
            _alive,
        ),
        Program(
            "beat",
            (
                *(*drop_in_app, python, "-m", "celery", "-A", "playground", "beat", "--loglevel", "INFO", "--pidfile="),
                *("--schedule", str(state / "run" / "beat" / "schedule")),
            ),
            _alive,
        ),
        Program(
            "web",
            (*drop_in_app, python, "-m", "playground.server"),
            accepts(reachable(installation.bind), installation.port),
            deadline=40.0,
        ),
    ]
