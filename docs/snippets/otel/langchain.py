# pip install langchain-openai openinference-instrumentation-langchain opentelemetry-sdk opentelemetry-exporter-otlp-proto-http
# The provider's key stays where it is, in OPENAI_API_KEY.
from langchain_openai import ChatOpenAI
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

exporter = OTLPSpanExporter(
    endpoint="http://127.0.0.1:3000/v1/traces",
    headers={"authorization": "Bearer pl_live_..."},
)
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))
LangChainInstrumentor().instrument(tracer_provider=provider)

print(ChatOpenAI(model="gpt-4o-mini").invoke("What is a plumb line?").content, end="")
provider.shutdown()
