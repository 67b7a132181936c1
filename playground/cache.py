"""How values are kept in the cache: as JSON, never as pickles.

The root worker reads keys that the unprivileged processes may write; to unpickle one would be to run whatever its author likes.
"""

import json
from typing import Any


class JsonSerializer:
    """For Django's RedisCache, which makes one with `JsonSerializer()`. Raises TypeError for what JSON has no form for."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)
