# pip install openai openinference-instrumentation-openai opentelemetry-sdk opentelemetry-exporter-otlp-proto-http
# The provider's key stays where it is, in OPENAI_API_KEY.
from openai import OpenAI
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

exporter = OTLPSpanExporter(
    endpoint="http://127.0.0.1:3000/v1/traces",
    headers={"authorization": "Bearer pl_live_..."},
)
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))
OpenAIInstrumentor().instrument(tracer_provider=provider)

with provider.get_tracer("app").start_as_current_span("agent"):
    answer = OpenAI().chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": "What is a plumb line?"}],
    )
print(answer.choices[0].message.content, end="")
provider.shutdown()
