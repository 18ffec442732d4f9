"""
All clients of a package at once, also those that other libraries make: the ``post`` that they inherit is replaced, in the
class that defines it.
"""

from __future__ import annotations

import enum
import functools
import importlib
import inspect
import weakref
from typing import Any, Callable, Dict, MutableMapping

from .._scope import Tracing
from .anthropic import ANTHROPIC
from .openai import OpenAi
from .reading import Api
from .wrap import UNPATCHED, post_recorded, post_recorded_async


class Integration(str, enum.Enum):
    """
    A package that can be recorded: the providers' own clients by this one, the others by the instrumentation of OpenTelemetry
    that is installed for them (``openinference-instrumentation-langchain``). Any other that has one can be named by a word.
    """

    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    BEDROCK = "bedrock"
    CREWAI = "crewai"
    DSPY = "dspy"
    GOOGLE_GENAI = "google_genai"
    GROQ = "groq"
    LANGCHAIN = "langchain"
    LITELLM = "litellm"
    LLAMA_INDEX = "llama_index"
    MISTRALAI = "mistralai"
    OPENAI_AGENTS = "openai_agents"


CLIENTS = {
    Integration.ANTHROPIC: ("Anthropic", "AsyncAnthropic"),
    Integration.OPENAI: ("OpenAI", "AsyncOpenAI"),
}

# Who records the calls of a package; the last one that asked for it.
_recording: Dict[Integration, Tracing] = {}
_apis: MutableMapping[Any, Api] = weakref.WeakKeyDictionary()


def patch(integration: Integration, tracing: Tracing) -> None:
    """Raises ``ImportError`` where the package is not installed."""
    package = importlib.import_module(integration.value)
    _recording[integration] = tracing
    for name in CLIENTS[integration]:
        owner = next(each for each in getattr(package, name).__mro__ if "post" in vars(each))
        if not hasattr(owner.post, UNPATCHED):
            owner.post = _patched(owner.post, integration)


def _patched(post: Callable[..., Any], integration: Integration) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(post):

        @functools.wraps(post)
        async def recorded_async(client: Any, path: str, **request: Any) -> Any:
            bound = functools.partial(post, client)
            return await post_recorded_async(bound, _recording[integration], _api_of(client, integration), path, **request)

        setattr(recorded_async, UNPATCHED, post)
        return recorded_async

    @functools.wraps(post)
    def recorded(client: Any, path: str, **request: Any) -> Any:
        bound = functools.partial(post, client)
        return post_recorded(bound, _recording[integration], _api_of(client, integration), path, **request)

    setattr(recorded, UNPATCHED, post)
    return recorded


def _api_of(client: Any, integration: Integration) -> Api:
    if integration is Integration.ANTHROPIC:
        return ANTHROPIC
    api = _apis.get(client)
    if api is None:
        api = _apis[client] = OpenAi(client, None, None)
    return api
