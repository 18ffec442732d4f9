// npm install @anthropic-ai/sdk
// The provider's key stays where it is, in ANTHROPIC_API_KEY.
import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic({
  baseURL: 'http://127.0.0.1:3000',
  defaultHeaders: { 'X-Plumbline-Key': 'pl_live_...' },
});

// Calls with the same run are shown together; the step is what this one is called.
const run = crypto.randomUUID();
const stream = client.messages.stream(
  {
    model: 'claude-haiku-4-5',
    max_tokens: 256,
    messages: [{ role: 'user', content: 'What is a plumb line?' }],
  },
  { headers: { 'X-Plumbline-Run': run, 'X-Plumbline-Step': 'answer' } },
);
stream.on('text', (text) => process.stdout.write(text));
await stream.finalMessage();
