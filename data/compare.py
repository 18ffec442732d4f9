#!/usr/bin/env python3
"""Compares every row of prices.json, on the day from which it holds, with the lists it is made from, and prints every
difference with the reason that compared.json gives for it. Exits with 1 where a difference has no reason.

    /tmp/lists/bin/python data/compare.py --litellm /tmp/lists/litellm.json

What it found is kept in comparison.json, which `make bench-ledger` prints. It shares no code with convert.py: genai-prices is asked by its own reckoning what a million tokens of each kind cost.
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

# Who stands before a model's name on Bedrock.
MAKERS = (
    "anthropic", "amazon", "meta", "mistral", "cohere", "deepseek", "openai", "qwen", "moonshotai", "google", "nvidia",
)
# And what behind it.
VERSIONS = ("", "-v1:0", "-v1", "-1:0", ":0") + tuple(
    f"-{day}-v1:0" for day in ("20240229", "20240307", "20240620", "20241022", "20250219", "20251001")
)


def full_names(row):
    """The names under which a list may have a row's model. On Bedrock its maker stands before it, a version behind."""
    yield row["model"]
    if row["provider"] == "aws":
        yield from (f"{maker}.{row['model']}{end}" for maker in MAKERS for end in VERSIONS)


def by_genai(row, bucket):
    """Nano-dollars per million, or None where the list has no price or leaves the bucket out."""
    name, also = GENAI[bucket]
    # A small call, so that no tier for much input is reached.
    count = 1000
    usage = Usage(**{key: count for key in [name, *also]})
    at = datetime.fromisoformat(row["valid_from"].replace("Z", "+00:00")) + timedelta(hours=18)
    at = max(at, datetime(2020, 1, 1, tzinfo=timezone.utc))
    for model in full_names(row):
        try:
            found = genai_prices.calc_price(usage, model, provider_id=row["provider"], genai_request_timestamp=at)
        except (LookupError, ValueError):
            continue
        return int(found.total_price * NANO * MILLION / count)
    return None


def by_litellm(row, entries):
    word, prefix = LITELLM_NAMES.get(row["provider"], (None, ""))
    for model in full_names(row) if word else ():
        entry = entries.get(prefix + model)
        if entry and entry.get("litellm_provider") == word:
            return entry
    return None


def comparisons(rows, entries, version):
    """(list, row, bucket, our rate, its rate) of every rate that both have, and of sound and pictures that it alone has."""
    newest = {}
    for row in rows:
        if row["valid_from"][:10] <= version:
            newest[row["provider"], row["model_match"], row["model"]] = row
    for row in rows:
        for bucket in GENAI:
            ours = row["rates"].get(bucket)
            theirs = None if ours is None else by_genai(row, bucket)
            if theirs is not None:
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
            yield "LiteLLM", row, bucket, ours, int(theirs * NANO * MILLION)


def reason_for(reasons, who, row, bucket):
    """What compared.json says of a difference; None where it says nothing."""
    for reason in reasons:
        is_its = reason["list"] in (who, "both") and re.fullmatch(reason["price_id"], row["price_id"])
        if is_its and re.fullmatch(reason.get("bucket", ".*"), bucket):
            return reason["why"]
    return None


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
    with open(HERE / "corrections.json") as file:
        replaced = json.load(file)["replace"]
    corrected = {
        f"{wrong['provider']}/{model}{'*' if how == 'prefix' else ''}/{right['valid_from'][:10]}"
        for wrong in replaced
        for how, model in wrong["models"]
        for right in wrong["rows"]
    }
    lists, why_counts, compared_rows = {}, {}, set()
    for who, row, bucket, ours, theirs in comparisons(rows, entries, shipped["version"]):
        counts = lists.setdefault(who, {"rows": set(), "rates": 0, "equal": 0, "explained": 0, "unexplained": 0})
        counts["rows"].add(row["price_id"])
        counts["rates"] += 1
        compared_rows.add(row["price_id"])
        if ours == theirs:
            counts["equal"] += 1
            continue
        why = reason_for(reasons, who, row, bucket)
        counts["unexplained" if why is None else "explained"] += 1
        why_counts[why or "UNEXPLAINED"] = why_counts.get(why or "UNEXPLAINED", 0) + 1
        dollars = lambda nano: "none" if nano is None else f"${Decimal(nano) / NANO}"
        print(f"{row['price_id']}: {bucket} is {dollars(ours)}, {who} has {dollars(theirs)}: {why or 'UNEXPLAINED'}")
    unexplained = sum(counts["unexplained"] for counts in lists.values())
    alone = {}
    for row in rows:
        if row["price_id"] in compared_rows:
            continue
        why = "announced by the provider: corrections.json" if row["price_id"] in corrected else None
        why = why or reason_for(reasons, "none", row, "")
        if why is None:
            unexplained += 1
            print(f"{row['price_id']}: in neither list: UNEXPLAINED")
        alone[why or "UNEXPLAINED"] = alone.get(why or "UNEXPLAINED", 0) + 1
    summary = {
        "version": shipped["version"],
        "rows": len(rows),
        "lists": [
            {"list": who, **{key: len(n) if key == "rows" else n for key, n in counts.items()}}
            for who, counts in sorted(lists.items())
        ],
        "reasons": [{"why": why, "rates": n} for why, n in sorted(why_counts.items(), key=lambda it: (-it[1], it[0]))],
        "rows_without_comparison": [{"why": why, "rows": n} for why, n in sorted(alone.items())],
    }
    with open(HERE / "comparison.json", "w") as file:
        json.dump(summary, file, indent=1, ensure_ascii=False)
        file.write("\n")
    print(f"{len(rows)} rows, {len(compared_rows)} compared, {sum(why_counts.values())} differences, {unexplained} without a reason")
    sys.exit(1 if unexplained else 0)


if __name__ == "__main__":
    main()
