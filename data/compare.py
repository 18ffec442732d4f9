#!/usr/bin/env python3
"""Compares every row of prices.json, on the day from which it holds, with the lists it is made from, and prints every
difference with the reason that compared.json gives for it. Exits with 1 where a difference has no reason.

    /tmp/lists/bin/python data/compare.py --litellm /tmp/lists/litellm.json

It shares no code with convert.py: genai-prices is asked by its own reckoning what a million tokens of each kind cost.
"""

import argparse
import json
import re
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import genai_prices
from genai_prices import Usage

HERE = Path(__file__).parent
NANO = Decimal(10) ** 9
MILLION = 1_000_000
# What a million of each is to genai-prices: its name, and the names it counts the same tokens under as well.
GENAI = {
    "input": ("input_tokens", []),
    "output": ("output_tokens", []),
    "cache_read": ("cache_read_tokens", ["input_tokens"]),
    "cache_write_5m": ("cache_write_tokens", ["input_tokens"]),
    "input_audio": ("input_audio_tokens", ["input_tokens"]),
    "cache_read_audio": ("cache_audio_read_tokens", ["cache_read_tokens", "input_audio_tokens", "input_tokens"]),
    "output_audio": ("output_audio_tokens", ["output_tokens"]),
}
LITELLM = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write_5m": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "input_audio": "input_cost_per_audio_token",
    "input_image": "input_cost_per_image_token",
    "output_audio": "output_cost_per_audio_token",
    "output_image": "output_cost_per_image_token",
}
# Provider -> LiteLLM's word for it, and what it writes in front of a model.
LITELLM_NAMES = {
    "anthropic": ("anthropic", ""), "aws": ("bedrock_converse", ""), "azure": ("azure", "azure/"),
    "cerebras": ("cerebras", "cerebras/"), "cohere": ("cohere_chat", ""), "deepseek": ("deepseek", "deepseek/"),
    "fireworks": ("fireworks_ai", "fireworks_ai/accounts/fireworks/models/"), "google": ("gemini", "gemini/"),
    "groq": ("groq", "groq/"), "mistral": ("mistral", "mistral/"), "moonshotai": ("moonshot", "moonshot/"),
    "openai": ("openai", ""), "perplexity": ("perplexity", "perplexity/"), "together": ("together_ai", "together_ai/"),
    "x-ai": ("xai", "xai/"),
}


def by_genai(row, bucket):
    """Nano-dollars per million, or None where the list has no price or leaves the bucket out."""
    name, also = GENAI[bucket]
    # A small call, so that no tier for much input is reached.
    count = 1000
    usage = Usage(**{key: count for key in [name, *also]})
    at = datetime.fromisoformat(row["valid_from"].replace("Z", "+00:00")) + timedelta(hours=18)
    at = max(at, datetime(2020, 1, 1, tzinfo=timezone.utc))
    try:
        found = genai_prices.calc_price(usage, row["model"], provider_id=row["provider"], genai_request_timestamp=at)
    except (LookupError, ValueError):
        return None
    return int(found.total_price * NANO * MILLION / count)


def by_litellm(row, entries):
    word, prefix = LITELLM_NAMES.get(row["provider"], (None, ""))
    entry = entries.get(prefix + row["model"]) if word else None
    return entry if entry and entry.get("litellm_provider") == word else None


def differences(rows, entries, version):
    newest = {}
    for row in rows:
        if row["valid_from"][:10] <= version:
            newest[row["provider"], row["model_match"], row["model"]] = row
    for row in rows:
        for bucket in GENAI:
            ours = row["rates"].get(bucket)
            if ours is None:
                continue
            theirs = by_genai(row, bucket)
            if theirs is not None and theirs != ours:
                yield "genai-prices", row, bucket, ours, theirs
        entry = by_litellm(row, entries)
        # It has no history.
        if not entry or newest[row["provider"], row["model_match"], row["model"]] is not row:
            continue
        for bucket, key in LITELLM.items():
            ours, theirs = row["rates"].get(bucket), entry.get(key)
            if ours is None or theirs is None:
                if theirs and bucket.split("_")[-1] in ("audio", "image") and ours is None:
                    yield "LiteLLM", row, bucket, None, int(theirs * NANO * MILLION)
                continue
            theirs = int(theirs * NANO * MILLION)
            if theirs != ours:
                yield "LiteLLM", row, bucket, ours, theirs


def main():
    arguments = argparse.ArgumentParser(description="Compares prices.json with the lists it is made from.")
    arguments.add_argument("--litellm", required=True)
    arguments.add_argument("--prices", default=HERE / "prices.json")
    arguments = arguments.parse_args()
    with open(arguments.prices) as file:
        shipped = json.load(file)
        rows = shipped["prices"]
    with open(arguments.litellm) as file:
        entries = json.load(file, parse_float=Decimal)
    with open(HERE / "compared.json") as file:
        reasons = json.load(file)
    found = unexplained = 0
    for who, row, bucket, ours, theirs in differences(rows, entries, shipped["version"]):
        found += 1
        why = next(
            (
                reason["why"]
                for reason in reasons
                if reason["list"] in (who, "both") and re.fullmatch(reason["price_id"], row["price_id"])
                and re.fullmatch(reason.get("bucket", ".*"), bucket)
            ),
            None,
        )
        unexplained += why is None
        dollars = lambda nano: "none" if nano is None else f"${Decimal(nano) / NANO}"
        print(f"{row['price_id']}: {bucket} is {dollars(ours)}, {who} has {dollars(theirs)}: {why or 'UNEXPLAINED'}")
    print(f"{len(rows)} rows compared, {found} differences, {unexplained} without a reason")
    sys.exit(1 if unexplained else 0)


if __name__ == "__main__":
    main()
