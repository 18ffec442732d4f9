# pip install llama-index-llms-openai openinference-instrumentation-llama-index opentelemetry-sdk opentelemetry-exporter-otlp-proto-http
# The provider's key stays where it is, in OPENAI_API_KEY.
from llama_index.llms.openai import OpenAI
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

exporter = OTLPSpanExporter(
    endpoint="http://127.0.0.1:3000/v1/traces",
    headers={"authorization": "Bearer pl_live_..."},
)
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))
LlamaIndexInstrumentor().instrument(tracer_provider=provider)

print(OpenAI(model="gpt-4o-mini").complete("What is a plumb line?").text, end="")
provider.shutdown()
