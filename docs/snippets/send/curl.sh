# A step that your program made: any language can send one.
curl http://127.0.0.1:3000/ingest \
  -H "Authorization: Bearer pl_live_..." \
  -H "Content-Type: application/json" \
  -d '{
    "run_id": "ticket-4711",
    "step_name": "answer",
    "model": "claude-haiku-4-5",
    "prompt": "What is a plumb line?",
    "output_code": "A weight on a string.",
    "input_tokens": 31, "output_tokens": 17, "latency_ms": 640
  }'
