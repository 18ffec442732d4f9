"""How an API of a provider is read. Answers are objects of the client's own classes, or plain JSON."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Mapping, Optional, Tuple


@dataclasses.dataclass
class Reading:
    """What an answer says, whole or streamed."""

    model: Optional[str] = None
    response_id: Optional[str] = None
    # Text, or the message as JSON where it is more than text.
    output: Optional[str] = None
    # The provider's own object, merged where a stream says it in parts.
    usage: Optional[Dict[str, Any]] = None
    stop_reason: Optional[str] = None
    service_tier: Optional[str] = None
    # An error that comes inside of an answer: its class and its message.
    error: Optional[Tuple[Optional[str], str]] = None

    def take(self, later: "Reading") -> None:
        """What a later part says; what it leaves out stays as it was."""
        for name, value in vars(later).items():
            if value is not None:
                setattr(self, name, value)


class StreamReader:
    """Follows a stream."""

    is_complete = False

    def event(self, event: Any) -> bool:
        """Says whether the event holds something of the answer itself."""
        raise NotImplementedError

    def is_ours(self, event: Any) -> bool:
        """Whether the event is there because we asked for it, and the caller did not."""
        return False

    def finish(self) -> Reading:
        raise NotImplementedError


class CallReader:
    kind = "llm"

    def whole(self, answer: Any) -> Reading:
        """Reads an answer that came whole."""
        raise NotImplementedError

    def stream(self, asked_for_usage: bool) -> StreamReader:
        raise NotImplementedError


class Api:
    """The calls of a provider that are recorded, by the path of the request."""

    provider: str
    readers: Mapping[str, CallReader]

    def prepare(self, path: str, body: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """A body that asks for more than the caller does; ``None``: the caller's."""
        return None

    def refuses(self, error: BaseException) -> bool:
        """Whether an error is because of what we asked for; then it is not asked for again."""
        return False


def field(value: Any, name: str) -> Any:
    """A field of an object or of JSON; of anything else there is none."""
    # Not any mapping: that question costs more than all else here, and there are no others.
    if isinstance(value, dict):
        return value.get(name)
    return getattr(value, name, None)


def items(value: Any) -> List[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def word(value: Any) -> Optional[str]:
    return value if isinstance(value, str) and value else None


def plain(value: Any) -> Any:
    """As JSON has it, without what was not said."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    # As pydantic's own `model_dump` does, at a third of its cost for objects as small as these.
    said = getattr(value, "__pydantic_fields_set__", None)
    if said is not None:
        known = {name: plain(each) for name, each in vars(value).items() if name in said}
        more = getattr(value, "__pydantic_extra__", None)
        return {**known, **plain(more)} if more else known
    dump = getattr(value, "model_dump", None)
    return dump(mode="json", exclude_unset=True) if callable(dump) else value


def plain_object(value: Any) -> Optional[Dict[str, Any]]:
    found = plain(value)
    return found if isinstance(found, dict) else None
