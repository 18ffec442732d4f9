"""Every scenario with OpenAI's client for Python. Prints one JSON line each: what the program got to see."""

import openai
from outcome import BASE_URL, call_headers, run_all, wrapped

MODEL = "gpt-4o-mini"
CHAT_TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
RESPONSES_TOOLS = [{"type": "function", "name": "get_weather", "parameters": {"type": "object"}, "strict": False}]
ASK_FOR_USAGE = {"include_usage": True}

client = wrapped(
    "wrap_openai", openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key="sk-callers-own", max_retries=0, timeout=60)
)


def asking(scenario, **more):
    question = [{"role": "user", "content": f"[{scenario.removesuffix('-asked')}] What is a plumb line?"}]
    return {"model": MODEL, "messages": question, "extra_headers": call_headers(scenario), **more}


def chat(scenario, **more):
    return client.chat.completions.create(**asking(scenario, **more)).to_dict()


def chat_stream(scenario, **more):
    chunks = client.chat.completions.create(**asking(scenario, stream=True, **more))
    return [chunk.to_dict() for chunk in chunks]


def chat_large(scenario):
    question = [{"role": "user", "content": "plumb " * 174_763}]
    chunks = client.chat.completions.create(**asking(scenario, messages=question, stream=True))
    return {"length": sum(len(chunk.choices[0].delta.content or "") for chunk in chunks)}


def leave(scenario):
    """Closes the stream after the first words."""
    with client.chat.completions.create(**asking(scenario, stream=True)) as chunks:
        for chunk in chunks:
            return {"first": chunk.choices[0].delta.content}


def responses(scenario, **more):
    question = f"[{scenario}] What is a plumb line?"
    answer = client.responses.create(model=MODEL, input=question, extra_headers=call_headers(scenario), **more)
    return {"text": answer.output_text, "usage": answer.usage.to_dict(), "kinds": [item.type for item in answer.output]}


def responses_stream(scenario):
    question = "[responses] What is a plumb line?"
    events = client.responses.create(model=MODEL, input=question, stream=True, extra_headers=call_headers(scenario))
    return [event.type for event in events]


def responses_leave(scenario):
    headers = call_headers(scenario)
    with client.responses.create(model=MODEL, input="What?", stream=True, extra_headers=headers) as events:
        for event in events:
            if event.type == "response.output_text.delta":
                return {"first": event.delta}


def completions(scenario):
    headers = call_headers(scenario)
    return client.completions.create(model="gpt-3.5-turbo-instruct", prompt="A plumb line is", extra_headers=headers).to_dict()


def completions_stream(scenario):
    headers = call_headers(scenario)
    model = "gpt-3.5-turbo-instruct"
    chunks = client.completions.create(model=model, prompt="A plumb line is", stream=True, extra_headers=headers)
    return [chunk.to_dict() for chunk in chunks]


def embeddings(scenario):
    model = "text-embedding-3-small"
    answer = client.embeddings.create(model=model, input="[embeddings] a weight", extra_headers=call_headers(scenario))
    return answer.to_dict()


def models(scenario):
    return [model.to_dict() for model in client.models.list(extra_headers=call_headers(scenario))]


run_all(
    {
        "chat": chat,
        "chat-stream": chat_stream,
        "chat-stream-asked": lambda scenario: chat_stream(scenario, stream_options=ASK_FOR_USAGE),
        "chat-tools": lambda scenario: chat(scenario, tools=CHAT_TOOLS),
        "chat-tools-stream": lambda scenario: chat_stream(scenario, tools=CHAT_TOOLS),
        "chat-usage": chat,
        "chat-wire": chat_stream,
        "chat-wire-asked": lambda scenario: chat_stream(scenario, stream_options=ASK_FOR_USAGE),
        "chat-large": chat_large,
        "chat-error-401": chat,
        "chat-error-429": chat,
        "chat-error-500": chat,
        "chat-malformed": chat,
        "chat-disconnect": chat,
        "chat-dropped": chat,
        "chat-error-in-stream": chat_stream,
        "chat-cut": chat_stream,
        "chat-held-open": leave,
        "responses": responses,
        "responses-stream": responses_stream,
        "responses-tools": lambda scenario: responses(scenario, tools=RESPONSES_TOOLS),
        "responses-incomplete": responses_stream,
        "responses-held-open": responses_leave,
        "completions": completions,
        "completions-stream": completions_stream,
        "embeddings": embeddings,
        "openai-models": models,
    }
)
