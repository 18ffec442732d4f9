"""Every scenario with Anthropic's client for Python. Prints one JSON line each: what the program got to see."""

import anthropic
from outcome import BASE_URL, OF_THE_CONNECTION, call_headers, run_all, wrapped

MODEL = "claude-sonnet-4-5-20250929"
TOOLS = [
    {
        "name": "get_weather",
        "description": "Weather of a city",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
]

client = wrapped(
    "wrap_anthropic", anthropic.Anthropic(base_url=BASE_URL, api_key="sk-ant-callers-own", max_retries=0, timeout=60)
)


def asking(scenario, **more):
    question = [{"role": "user", "content": f"[{scenario}] What is a plumb line?"}]
    return {"model": MODEL, "max_tokens": 1024, "messages": question, "extra_headers": call_headers(scenario), **more}


def create(scenario, **more):
    return client.messages.create(**asking(scenario, **more)).to_dict()


def raw(scenario):
    answer = client.messages.with_raw_response.create(**asking(scenario))
    headers = [[name, value] for name, value in answer.headers.multi_items() if name not in OF_THE_CONNECTION]
    return {"headers": headers, "body": answer.parse().to_dict()}


def stream(scenario, **more):
    with client.messages.stream(**asking(scenario, **more)) as events:
        kinds = [event.type for event in events]
        return {"kinds": kinds, "message": events.get_final_message().to_dict()}


def large(scenario):
    question = [{"role": "user", "content": "plumb " * 174_763}]
    events = client.messages.create(**asking(scenario, messages=question, stream=True))
    return {"length": sum(len(event.delta.text) for event in events if event.type == "content_block_delta")}


def leave(scenario):
    """Closes the stream after the first words."""
    with client.messages.stream(**asking(scenario)) as events:
        for text in events.text_stream:
            return {"first": text}


def give_up(scenario):
    return client.with_options(timeout=1).messages.create(**asking(scenario)).to_dict()


def retry(scenario):
    return client.with_options(max_retries=1).messages.create(**asking(scenario)).to_dict()


def count_tokens(scenario):
    question = [{"role": "user", "content": "What is a plumb line?"}]
    headers = call_headers(scenario)
    return client.messages.count_tokens(model=MODEL, messages=question, extra_headers=headers).to_dict()


def models(scenario):
    return [model.to_dict() for model in client.models.list(extra_headers=call_headers(scenario))]


run_all(
    {
        "create": create,
        "stream": stream,
        "tools": lambda scenario: create(scenario, tools=TOOLS),
        "tools-stream": lambda scenario: stream(scenario, tools=TOOLS),
        "thinking": stream,
        "usage": stream,
        "rate-headers": raw,
        "gzip": create,
        "split": stream,
        "large": large,
        "error-400": create,
        "error-401": create,
        "error-429": create,
        "error-500": create,
        "error-529": create,
        "not-json": create,
        "error-in-stream": stream,
        "cut": stream,
        "retry": retry,
        "held-open": leave,
        "never-answered": give_up,
        "count-tokens": count_tokens,
        "anthropic-models": models,
    }
)
