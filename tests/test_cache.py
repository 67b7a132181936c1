"""The cache holds JSON: what one process writes there cannot run code in another."""

import json
import pickle
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.core.cache import cache


class Attack:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_pickle_in_the_cache_is_not_run(tmp_path: Path) -> None:
    cache.set("key", 1)
    location = str(settings.CACHES["default"]["LOCATION"])
    redis.Redis.from_url(location).set(cache.make_key("key"), pickle.dumps(Attack(tmp_path / "run")))
    with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)):
        cache.get("key")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("value", [None, True, 7, 1.5, "text with é", [1.25, "a"], {"a": {"b": []}}])
def test_what_goes_in_comes_out(value: object) -> None:
    cache.set("key", value)
    assert cache.get("key", "nothing") == value


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError):
        cache.set("key", b"bytes")


def test_it_counts() -> None:
    cache.set("key", 5)
    assert cache.incr("key") == 6
    assert cache.get("key") == 6
