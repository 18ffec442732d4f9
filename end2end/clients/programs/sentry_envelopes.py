"""Reads envelopes with Sentry's own parser, one file each, and prints what it found in them as JSON lines."""

import json
import os
import sys

from sentry_sdk.envelope import Envelope

for name in sorted(os.listdir(os.environ["ENVELOPES"])):
    with open(os.path.join(os.environ["ENVELOPES"], name), "rb") as file:
        envelope = Envelope.deserialize(file.read())
    for item in envelope.items:
        payload = item.payload.json if item.payload.json is not None else json.loads(item.payload.get_bytes())
        print(
            json.dumps(
                {
                    "type": item.headers["type"],
                    "category": item.data_category,
                    "transaction": envelope.get_transaction_event() is not None,
                    "event": envelope.get_event() is not None,
                    "trace": envelope.headers.get("trace", {}).get("trace_id"),
                    "payload": payload,
                }
            )
        )
sys.exit(0)
