# pip install pydantic-ai opentelemetry-sdk opentelemetry-exporter-otlp-proto-http
# The provider's key stays where it is, in OPENAI_API_KEY.
from opentelemetry import trace
from pydantic_ai import Agent
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

exporter = OTLPSpanExporter(
    endpoint="http://127.0.0.1:3000/v1/traces",
    headers={"authorization": "Bearer pl_live_..."},
)
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))
trace.set_tracer_provider(provider)
Agent.instrument_all()

agent = Agent("openai:gpt-4o-mini", system_prompt="Be brief.")
print(agent.run_sync("What is a plumb line?").output, end="")
provider.shutdown()
