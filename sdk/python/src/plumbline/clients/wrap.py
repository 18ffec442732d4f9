"""
A client whose calls are recorded. All of a client's methods send their requests through its ``post``; so that is what is
replaced, on a copy of the client. The client itself stays as it is.
"""

from __future__ import annotations

import copy
import functools
import inspect
from typing import Any, Callable, Dict, Optional, TypeVar, cast

from .._scope import Tracing
from .call import Call
from .reading import Api

C = TypeVar("C")

# On a copy: the client that it is a copy of.
ORIGINAL = "_plumbline_original"
# On a ``post`` that records the calls of all clients (``patch``): the one that it replaces.
UNPATCHED = "_plumbline_unpatched"


def wrap_client(client: C, tracing: Tracing, api: Api, warn: Callable[[str], None]) -> C:
    try:
        return cast(C, _wrapped(client, tracing, api))
    except Exception as error:
        warn(f"{type(client).__name__} could not be wrapped, its calls are not recorded: {error!r}")
        return client


def _wrapped(client: Any, tracing: Tracing, api: Api) -> Any:
    client = vars(client).get(ORIGINAL, client)
    wrapped = copy.copy(client)
    setattr(wrapped, ORIGINAL, client)
    # Otherwise a call of a patched class would be recorded twice.
    unpatched = getattr(type(client).post, UNPATCHED, None)
    post = client.post if unpatched is None else functools.partial(unpatched, client)
    record = post_recorded_async if inspect.iscoroutinefunction(client.post) else post_recorded
    wrapped.post = functools.partial(record, post, tracing, api)
    for method in ("copy", "with_options"):
        if hasattr(client, method):
            setattr(wrapped, method, functools.partial(_copied, getattr(client, method), tracing, api))
    _renew_members(client, wrapped)
    return wrapped


def _copied(method: Callable[..., Any], tracing: Tracing, api: Api, *args: Any, **kwargs: Any) -> Any:
    return _wrapped(method(*args, **kwargs), tracing, api)


def _renew_members(client: Any, wrapped: Any) -> None:
    """Members keep the ``post`` of the client that they were made with."""
    for name, member in list(vars(wrapped).items()):
        if isinstance(getattr(type(client), name, None), functools.cached_property):
            del vars(wrapped)[name]  # Made again when it is asked for.
        elif getattr(member, "_client", None) is client:
            setattr(wrapped, name, type(member)(wrapped))


def _begin(tracing: Tracing, api: Api, path: str) -> Optional[Call]:
    reader = api.readers.get(path.split("?", 1)[0])
    if reader is None:
        return None
    try:
        step = tracing.open_step(None, {"kind": reader.kind, "provider": api.provider})
        return Call(step, api, reader)
    except Exception:
        return None  # Whatever it is, it is ours, and the call goes on without us.


def post_recorded(post: Callable[..., Any], tracing: Tracing, api: Api, path: str, **request: Any) -> Any:
    call = _begin(tracing, api, path)
    if call is None:
        return post(path, **request)
    try:
        answer = post(path, **call.asks(path, request))
    except BaseException as error:
        plainly = call.again(error)
        if plainly is None:
            call.failed(error)
            raise
        answer = _post_again(post, call, path, plainly)
    return call.answered(answer)


def _post_again(post: Callable[..., Any], call: Call, path: str, request: Dict[str, Any]) -> Any:
    try:
        return post(path, **request)
    except BaseException as error:
        call.failed(error)
        raise


async def post_recorded_async(post: Callable[..., Any], tracing: Tracing, api: Api, path: str, **request: Any) -> Any:
    call = _begin(tracing, api, path)
    if call is None:
        return await post(path, **request)
    try:
        answer = await post(path, **call.asks(path, request))
    except BaseException as error:
        plainly = call.again(error)
        if plainly is None:
            call.failed(error)
            raise
        answer = await _post_again_async(post, call, path, plainly)
    return call.answered(answer)


async def _post_again_async(post: Callable[..., Any], call: Call, path: str, request: Dict[str, Any]) -> Any:
    try:
        return await post(path, **request)
    except BaseException as error:
        call.failed(error)
        raise
