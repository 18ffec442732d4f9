"""OpenAI and services that speak like it."""

from __future__ import annotations

import re
from typing import Any, Dict, Optional
from urllib.parse import urlsplit

from .chat import Chat, Completions
from .reading import Api, CallReader, Reading, StreamReader, field, plain_object, word
from .responses import Responses

# Host, its name as a provider, and whether its streams can be asked for usage.
HOSTS = (
    ("openai.azure.com", "azure.ai.openai", True),
    ("openai.com", "openai", True),
    ("deepseek.com", "deepseek", True),
    ("groq.com", "groq", True),
    ("mistral.ai", "mistral_ai", False),
    ("openrouter.ai", "openrouter", True),
    ("perplexity.ai", "perplexity", False),
    ("together.xyz", "together", True),
    ("x.ai", "x_ai", True),
)

QUESTION = re.compile("stream_options|include_usage")


class _NoStream(StreamReader):
    """There are no streams of embeddings; what claims to be one is complete and says nothing."""

    is_complete = True

    def event(self, event: Any) -> bool:
        return False

    def finish(self) -> Reading:
        return Reading()


class Embeddings(CallReader):
    """The vectors are not kept."""

    kind = "embedding"

    def whole(self, answer: Any) -> Reading:
        return Reading(model=word(field(answer, "model")), usage=plain_object(field(answer, "usage")))

    def stream(self, asked_for_usage: bool) -> StreamReader:
        return _NoStream()


class OpenAi(Api):
    readers = {
        "/chat/completions": Chat(),
        "/completions": Completions(),
        "/responses": Responses(),
        "/embeddings": Embeddings(),
    }

    def __init__(self, client: Any, provider: Optional[str], stream_usage: Optional[bool]) -> None:
        host = urlsplit(str(getattr(client, "base_url", ""))).hostname or ""
        known = next((each for each in HOSTS if host == each[0] or host.endswith(f".{each[0]}")), None)
        self.provider = provider or (known[1] if known else "openai")
        self._asks_for_usage = stream_usage if stream_usage is not None else known is None or known[2]

    def prepare(self, path: str, body: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """Streams carry usage only when asked."""
        can_ask = path in ("/chat/completions", "/completions") and body.get("stream") is True
        options = body.get("stream_options") or {}
        if not (self._asks_for_usage and can_ask) or options.get("include_usage") is not None:
            return None
        return {**body, "stream_options": {**options, "include_usage": True}}

    def refuses(self, error: BaseException) -> bool:
        is_refusal = field(error, "status_code") in (400, 422) and QUESTION.search(str(error)) is not None
        if is_refusal:
            self._asks_for_usage = False
        return is_refusal
