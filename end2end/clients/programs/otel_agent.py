"""A small agent under one of several instrumentations: a run with a call of a model inside a step of its own. Nothing
here knows Plumbline but the address that OpenTelemetry's own variables name."""

import os

INSTRUMENTATION = os.environ["CLIENT_INSTRUMENTATION"]
BASE_URL = os.environ["CLIENT_BASE_URL"]
QUESTION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is a plumb line?"},
]


def provider():
    """OpenTelemetry's SDK with its exporter, as its documentation sets it up."""
    from opentelemetry import trace
    if os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider


def ask():
    import openai

    client = openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key="sk-callers-own", max_retries=0, timeout=60)
    headers = {"x-scenario": "chat-usage"}
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION, extra_headers=headers)
    return answer.choices[0].message.content


def within_spans(provider):
    tracer = provider.get_tracer("agent")
    with tracer.start_as_current_span("agent", attributes={"session.id": "s-1", "user.id": "u-1"}):
        with tracer.start_as_current_span("plan"):
            ask()
    provider.shutdown()


def openinference():
    from openinference.instrumentation.openai import OpenAIInstrumentor

    tracer_provider = provider()
    OpenAIInstrumentor().instrument(tracer_provider=tracer_provider)
    within_spans(tracer_provider)


def openinference_anthropic():
    import anthropic
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    tracer_provider = provider()
    AnthropicInstrumentor().instrument(tracer_provider=tracer_provider)
    client = anthropic.Anthropic(base_url=BASE_URL, api_key="sk-ant-callers-own", max_retries=0, timeout=60)
    tracer = tracer_provider.get_tracer("agent")
    with tracer.start_as_current_span("agent", attributes={"session.id": "s-1", "user.id": "u-1"}):
        with tracer.start_as_current_span("plan"):
            client.messages.create(
                model="claude-sonnet-4-5",
                max_tokens=100,
                system=QUESTION[0]["content"],
                messages=QUESTION[1:],
                extra_headers={"x-scenario": "cached"},
            )
    tracer_provider.shutdown()


def semantic_conventions():
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    tracer_provider = provider()
    OpenAIInstrumentor().instrument(tracer_provider=tracer_provider)
    within_spans(tracer_provider)


def traceloop():
    from traceloop.sdk import Traceloop
    from traceloop.sdk.decorators import task, workflow

    Traceloop.init(
        app_name="agent",
        api_endpoint=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"],
        api_key=os.environ["CLIENT_PLUMBLINE_KEY"],
        disable_batch=True,
        telemetry_enabled=False,
    )
    Traceloop.set_association_properties({"session_id": "s-1", "user_id": "u-1"})

    @task(name="plan")
    def plan():
        return ask()

    @workflow(name="agent")
    def agent():
        return plan()

    agent()


def langfuse():
    from langfuse import get_client, observe, propagate_attributes
    from langfuse.openai import openai

    @observe(name="plan")
    def plan():
        client = openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key="sk-callers-own", max_retries=0)
        headers = {"x-scenario": "chat-usage"}
        answer = client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION, extra_headers=headers)
        return answer.choices[0].message.content

    @observe(name="agent")
    def agent():
        with propagate_attributes(session_id="s-1", user_id="u-1"):
            return plan()

    agent()
    get_client().flush()


def traceroot():
    import traceroot

    traceroot.initialize(integrations=[traceroot.Integration.OPENAI])

    @traceroot.observe(name="plan")
    def plan():
        return ask()

    @traceroot.observe(name="agent", type="agent")
    def agent():
        with traceroot.using_attributes(session_id="s-1", user_id="u-1"):
            return plan()

    agent()
    traceroot.shutdown()


{
    "openinference": openinference,
    "openinference-anthropic": openinference_anthropic,
    "semantic-conventions": semantic_conventions,
    "traceloop": traceloop,
    "langfuse": langfuse,
    "traceroot": traceroot,
}[INSTRUMENTATION]()
