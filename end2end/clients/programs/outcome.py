"""How a program reports what its client got to see, so that two ways to the provider can be compared."""

import json
import os
import sys
from contextlib import ExitStack, nullcontext

BASE_URL = os.environ["CLIENT_BASE_URL"]
RUN_PREFIX = os.environ["CLIENT_RUN_PREFIX"]
PLUMBLINE_KEY = os.environ["CLIENT_PLUMBLINE_KEY"]

# With CLIENT_SDK, the calls are recorded by our SDK instead of the proxy.
SDK = os.environ.get("CLIENT_SDK")
if SDK:
    from plumbline import Tracer

    tracer = Tracer(PLUMBLINE_KEY, SDK)


def wrapped(method, client, **options):
    """The client that the program calls: of wrap_anthropic or wrap_openai, or as it is."""
    return getattr(tracer, method)(client, **options) if SDK else client


# Not the provider's words but the connection's, and the time.
OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "date"}


def call_headers(scenario):
    """What a user adds to a call, and the word by which the provider chooses its answer."""
    return {
        "x-scenario": scenario,
        "x-request-id": f"caller-{scenario}",
        "X-Plumbline-Key": PLUMBLINE_KEY,
        "X-Plumbline-Run": f"{RUN_PREFIX}{scenario}",
        "X-Plumbline-Step": scenario,
        "X-Plumbline-Session": f"{RUN_PREFIX}session",
        "X-Plumbline-User": "u-1",
    }


def raised(error):
    """An exception as its catcher can tell it from others."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    return {
        "class": [kind.__name__ for kind in type(error).__mro__ if kind is not object],
        "message": str(error),
        "status": getattr(error, "status_code", None),
        "body": getattr(error, "body", None),
        "code": getattr(error, "code", None),
        "type": getattr(error, "type", None),
        "request_id": getattr(error, "request_id", None),
        "retry_after": headers.get("retry-after"),
    }


def in_run(scenario):
    if not SDK:
        return nullcontext()
    stack = ExitStack()
    stack.enter_context(tracer.run(f"{RUN_PREFIX}{scenario}", session_id=f"{RUN_PREFIX}session", user_id="u-1"))
    stack.enter_context(tracer.labels(step_name=scenario))
    return stack


def run_all(scenarios):
    for scenario, call in scenarios.items():
        try:
            with in_run(scenario):
                outcome = {"returned": call(scenario)}
        except Exception as error:  # whatever the client raises is what is compared
            outcome = {"raised": raised(error)}
        print(json.dumps({"scenario": scenario, **outcome}, default=str))
        sys.stdout.flush()
    if SDK:
        # A debug build may need longer for what is large than the end of a process would wait.
        tracer.shutdown(timeout=30)
