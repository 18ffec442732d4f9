// npm install ai @ai-sdk/openai @opentelemetry/sdk-trace-node @opentelemetry/exporter-trace-otlp-http
// The provider's key stays where it is, in OPENAI_API_KEY.
import { openai } from '@ai-sdk/openai';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { generateText } from 'ai';

const exporter = new OTLPTraceExporter({
  url: 'http://127.0.0.1:3000/v1/traces',
  headers: { authorization: 'Bearer pl_live_...' },
});
const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
provider.register();

const { text } = await generateText({
  model: openai.chat('gpt-4o-mini'),
  prompt: 'What is a plumb line?',
  experimental_telemetry: { isEnabled: true, functionId: 'answer' },
});
process.stdout.write(text);
await provider.shutdown();
