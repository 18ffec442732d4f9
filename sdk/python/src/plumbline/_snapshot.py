"""Values as text, taken at once, because callers change their objects afterwards. Bounded, whatever they are."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import re
import uuid
from typing import Any, List, Optional

MAX_DEPTH = 8
MAX_ITEMS = 200
MAX_VALUES = 5_000
MAX_TEXT = 64 * 1024
# From here on it is worth looking for files in a request.
LARGE_REQUEST = 256 * 1024
MAX_REQUEST = 8 * 1024 * 1024
# Longer text that begins as a data URL, or with nothing but base64, is a file.
MIN_FILE = 16 * 1024
BASE64 = re.compile(r"[A-Za-z0-9+/_-]{1024}")
UNREADABLE = "[unreadable]"


_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}… [{len(text) - length} characters cut]"


def request_text(body: Any) -> str:
    """The body of a request to a provider as JSON. Files in it (base64) are named, not kept."""
    try:
        text = _encode(body)
        if len(text) <= LARGE_REQUEST:
            return text
        return cut(_encode(_without_files(body)), MAX_REQUEST)
    except Exception:
        return UNREADABLE  # The client will say what is wrong with it.


def _without_files(value: Any) -> Any:
    if isinstance(value, str):
        is_file = len(value) >= MIN_FILE and (value.startswith("data:") or BASE64.match(value))
        return f"[file, {len(value)} characters of base64]" if is_file else value
    if isinstance(value, dict):
        return {key: _without_files(field) for key, field in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_files(item) for item in value]
    return value


def value_text(value: Any) -> Optional[str]:
    """An argument or a result: text as it is, everything else as JSON. ``None`` is nothing."""
    if value is None:
        return None
    if isinstance(value, str):
        return cut(value, MAX_TEXT)
    try:
        return cut(json.dumps(_Plain().of(value, []), ensure_ascii=False), MAX_TEXT)
    except Exception:
        return UNREADABLE  # A property that raises.


class _Plain:
    """What of a value JSON can hold; other objects by the name of their class."""

    def __init__(self) -> None:
        self.values = 0

    def of(self, value: Any, above: List[int]) -> Any:
        self.values += 1
        if value is None or isinstance(value, (bool, int)):
            return value
        if isinstance(value, str):
            return cut(value, MAX_TEXT)
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return f"[{len(value)} bytes]"
        if isinstance(value, enum.Enum):
            return self.of(value.value, above)
        if isinstance(value, (datetime.date, datetime.time, decimal.Decimal, uuid.UUID, pathlib.PurePath)):
            return str(value)
        if isinstance(value, BaseException):
            return f"{type(value).__name__}: {value}"
        if self.values > MAX_VALUES or len(above) >= MAX_DEPTH or id(value) in above:
            return "[…]"
        path = [*above, id(value)]
        if isinstance(value, dict):
            items = list(value.items())[:MAX_ITEMS]
            return {str(key): self.of(field, path) for key, field in items}
        if isinstance(value, (list, tuple, set, frozenset)):
            members = list(value)
            kept = [self.of(member, path) for member in members[:MAX_ITEMS]]
            return kept if len(members) <= MAX_ITEMS else [*kept, f"[{len(members) - MAX_ITEMS} more]"]
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: self.of(getattr(value, field.name), path) for field in dataclasses.fields(value)}
        dump = getattr(value, "model_dump", None)
        if callable(dump) and not isinstance(value, type):
            return self.of(dump(), path)
        return f"[{type(value).__name__}]"
