"""What neither list has right, what no list has any more, and what a row may not say."""

import json
from pathlib import Path

from .row import note

# Windows that the lists name too small: that of an ordinary call, where the tier for more input is there for a larger one.
WINDOWS = {"claude-sonnet-4-5": 1_000_000}
# Models whose weights the provider gives away and which it does not serve itself, by how their names begin.
NOT_SERVED = {"openai": "gpt-oss"}


def within_window(row):
    """A row whose tiers can be reached: those that begin at its window or beyond it say nothing."""
    window = WINDOWS.get(row["model"], row.get("context_window"))
    if window is None:
        return row

    def reachable(rates):
        tiers = [tier for tier in rates.get("tiers", []) if tier["above_input_tokens"] < window]
        rest = {key: value for key, value in rates.items() if key != "tiers"}
        return {**rest, "tiers": tiers} if tiers else rest

    rates = reachable(row["rates"])
    if "service_tiers" in rates:
        rates["service_tiers"] = {word: reachable(tier) for word, tier in rates["service_tiers"].items()}
    return {**row, "rates": rates, "context_window": window}


def is_served(row):
    begins = NOT_SERVED.get(row["provider"])
    return begins is None or not row["model"].startswith(begins)


def corrected(rows):
    """What neither list has right, with reasons in corrections.json."""
    with open(Path(__file__).parent.with_name("corrections.json")) as file:
        corrections = json.load(file)
    for wrong in corrections["replace"]:
        for how, model in wrong["models"]:
            is_it = lambda row: (row["provider"], row["model_match"], row["model"]) == (wrong["provider"], how, model)
            if not any(is_it(row) for row in rows):
                continue
            rows = [row for row in rows if not is_it(row)]
            for right in wrong["rows"]:
                since = right["valid_from"]
                day = since[:10]
                rows.append({
                    "price_id": f"{wrong['provider']}/{model}{'*' if how == 'prefix' else ''}/{day}",
                    "provider": wrong["provider"],
                    "model_match": how,
                    "model": model,
                    "valid_from": since,
                    "rates": right["rates"],
                    "context_window": wrong["context_window"],
                    "source": wrong["source"],
                })
    dropped = {(provider, model) for drop in corrections["drop"] for provider, model in drop["rows"]}
    rows = [row for row in rows if (row["provider"], row["model"]) not in dropped]
    for tier in corrections["tiers"]:
        for row in rows:
            if row["provider"] not in tier["providers"] or row["model"] not in tier["models"] or "tiers" in row["rates"]:
                continue
            scaled = lambda rates: {
                bucket: rates[bucket] * permille // 1000 for bucket, permille in tier["permille"].items() if bucket in rates
            }
            above = {"above_input_tokens": tier["above_input_tokens"]}
            row["rates"] = {**row["rates"], "tiers": [{**above, **scaled(row["rates"])}]}
            variants = row["rates"].get("service_tiers", {})
            if variants:
                row["rates"]["service_tiers"] = {
                    word: {**rates, "tiers": [{**above, **scaled(rates)}]} for word, rates in variants.items()
                }
            row["context_window"] = tier["context_window"]
    return rows


def gone(rows, previous):
    """Rows of the edition before for models that no list has any more. Their calls of the past are still priced."""
    listed = {(row["provider"], row["model_match"], row["model"]) for row in rows}
    with open(previous) as file:
        before = json.load(file)["prices"]
    kept = [row for row in before if (row["provider"], row["model_match"], row["model"]) not in listed]
    for row in kept:
        note(f"kept, in no list any more: {row['price_id']}")
    return kept
