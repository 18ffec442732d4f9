#!/usr/bin/env python3
"""Writes prices.json from two public price lists that were downloaded before.

    python3 -m venv /tmp/lists
    /tmp/lists/bin/pip install genai-prices
    pip download --no-deps -d /tmp/lists litellm
    unzip -p /tmp/lists/litellm-*.whl litellm/model_prices_and_context_window_backup.json > /tmp/lists/litellm.json
    /tmp/lists/bin/python data/convert.py --litellm /tmp/lists/litellm.json --previous data/prices.json \\
        --version 2026-11-30 > /tmp/lists/prices.json && mv /tmp/lists/prices.json data/prices.json
    /tmp/lists/bin/python data/compare.py --litellm /tmp/lists/litellm.json

Opens no connection. What it leaves out or finds in disagreement is said on stderr. README.md beside this file says
what each list is used for.
"""

import argparse
import json
import re
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

from genai_prices import data as genai

# Provider of genai-prices -> where its prices stand.
PROVIDERS = {
    "anthropic": "https://platform.claude.com/docs/en/about-claude/pricing",
    "aws": "https://aws.amazon.com/bedrock/pricing/",
    "azure": "https://azure.microsoft.com/en-us/pricing/details/cognitive-services/openai-service/",
    "cerebras": "https://www.cerebras.ai/pricing",
    "cohere": "https://cohere.com/pricing",
    "deepseek": "https://api-docs.deepseek.com/quick_start/pricing",
    "fireworks": "https://fireworks.ai/pricing",
    "google": "https://ai.google.dev/gemini-api/docs/pricing",
    "groq": "https://groq.com/pricing",
    "meta": "https://dev.meta.ai/docs/pricing-rate-limits",
    "minimax": "https://platform.minimax.io/docs/pricing/overview",
    "mistral": "https://mistral.ai/pricing",
    "moonshotai": "https://platform.kimi.ai/docs/pricing/chat.md",
    "openai": "https://developers.openai.com/api/docs/pricing",
    "perplexity": "https://docs.perplexity.ai/docs/getting-started/pricing",
    "together": "https://www.together.ai/pricing",
    "voyageai": "https://docs.voyageai.com/docs/pricing",
    "x-ai": "https://docs.x.ai/docs/models",
    "zai": "https://docs.z.ai/guides/overview/pricing",
}
# The same providers in LiteLLM's list: word of the list, prefix of its model names.
IN_LITELLM = {
    "anthropic": ("anthropic", ""),
    "aws": ("bedrock_converse", ""),
    "azure": ("azure", "azure/"),
    "cerebras": ("cerebras", "cerebras/"),
    "cohere": ("cohere_chat", ""),
    "deepseek": ("deepseek", "deepseek/"),
    "fireworks": ("fireworks_ai", "fireworks_ai/accounts/fireworks/models/"),
    "google": ("gemini", "gemini/"),
    "groq": ("groq", "groq/"),
    "mistral": ("mistral", "mistral/"),
    "moonshotai": ("moonshot", "moonshot/"),
    "openai": ("openai", ""),
    "perplexity": ("perplexity", "perplexity/"),
    "together": ("together_ai", "together_ai/"),
    "x-ai": ("xai", "xai/"),
}
# Where LiteLLM's list also names models that the other one does not have. The rest of its list is mostly open models
# that nobody serves any more.
ALSO_FROM_LITELLM = [
    "anthropic", "aws", "azure", "cerebras", "cohere", "deepseek", "google", "groq", "mistral", "openai", "x-ai",
]
# Windows that the lists name too small: that of an ordinary call, where the tier for more input is there for a larger one.
WINDOWS = {"claude-sonnet-4-5": 1_000_000}
# Models whose weights the provider gives away and which it does not serve itself, by how their names begin.
NOT_SERVED = {"openai": "gpt-oss"}
# From the beginning: before the first call that anybody has recorded.
BEGINNING = date(2020, 1, 1)
NANO = Decimal(10) ** 9
BUCKETS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "input_audio": "input_audio_mtok",
    "input_image": "input_image_mtok",
    "input_video": "input_video_mtok",
    "cache_read_audio": "cache_audio_read_mtok",
    "cache_read_image": "cache_image_read_mtok",
    "output_audio": "output_audio_mtok",
    "output_image": "output_image_mtok",
    "output_video": "output_video_mtok",
    "output_reasoning": "output_reasoning_mtok",
    "citations": "output_citation_mtok",
}
LITELLM_BUCKETS = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write_5m": "cache_creation_input_token_cost",
}
# Parts of the tokens, where LiteLLM's list has them and the other does not. Of the input, pictures and moving pictures
# are billed as text where no list says otherwise.
LITELLM_PARTS = {
    "input_audio": "input_cost_per_audio_token",
    "input_image": "input_cost_per_image_token",
    "input_video": "input_cost_per_video_token",
    "cache_read_audio": "cache_read_input_audio_token_cost",
    "cache_read_image": "cache_read_input_image_token_cost",
    "output_audio": "output_cost_per_audio_token",
    "output_image": "output_cost_per_image_token",
    "output_video": "output_cost_per_video_token",
}
# Fees of OpenAI's own tools, which it asks for with every model: a thousand searches of files, a thousand sessions of
# the code interpreter.
OPENAI_TOOLS = {"file_search": 2_500_000_000, "code_interpreter": 30_000_000_000}
# Models that search the web for each answer and are billed for it by the call.
SEARCHES_ALWAYS = ("search-preview", "search-api")
MAKERS = (
    "anthropic. amazon. meta. mistral. cohere. deepseek. ai21. openai. qwen. moonshotai. google. nvidia. minimax. zai."
).split()


def note(text):
    print(text, file=sys.stderr)


def whole(amount, factor=NANO):
    """Dollars per million as whole nano-dollars; None when they are finer than that."""
    scaled = Decimal(amount) * factor
    return int(scaled) if scaled == int(scaled) else None


def names(model):
    """The names under which engine::pricing looks a model up, the most exact first."""
    found = []

    def add(name):
        if name and name not in found:
            found.append(name)

    add(model.strip().lower())
    bare = found[0].rsplit("/", 1)[-1] if found else ""
    for maker in MAKERS:
        at = bare.find(maker)
        if at == 0 or (0 < at <= 7 and bare[:at].endswith(".")):
            bare = bare[at + len(maker) :]
            break
    bare = re.sub(r"@(default|\d+)$", "", bare)
    bare = re.sub(r"(-v\d+)?:\d+$", "", bare)
    add(bare)
    if bare.startswith("claude"):
        bare = bare.replace(".", "-")
        add(bare)
    add(re.sub(r"-(latest|20\d{6}|20\d\d-\d\d-\d\d)$", "", bare))
    return found


def rates_of(price):
    """Rates and tiers of one price of genai-prices; None where a rate is finer than nano-dollars."""
    rates, tiers = {}, {}
    for bucket, key in BUCKETS.items():
        value = price.__dict__.get(key)
        if value is None:
            continue
        if hasattr(value, "tiers"):
            for tier in value.tiers:
                tiers.setdefault(tier.start, {})[bucket] = whole(tier.price)
            value = value.base
        rates[bucket] = whole(value)
    listed = [{"above_input_tokens": start, **tiers[start]} for start in sorted(tiers)]
    if listed:
        rates["tiers"] = listed
    for key, name, factor in [
        ("web_searches_kcount", "web_search_per_1k", NANO),
        ("requests_kcount", "per_request", NANO / 1000),
    ]:
        if price.__dict__.get(key) is not None:
            rates[name] = whole(price.__dict__[key], factor)
    if price.__dict__.get("storage_searches_kcount") is not None:
        rates["tools_per_1k"] = {"file_search": whole(price.__dict__["storage_searches_kcount"])}
    every = [v for r in [rates, *listed] for k, v in r.items() if k not in ("tiers", "tools_per_1k")]
    return None if any(value is None for value in every) else rates


def dated(model):
    """[(first day, price, [(from minute, to minute, price)])] of a model, oldest first. Prices by time of day stand
    beside the one of the rest of the day."""
    if not isinstance(model.prices, list):
        return [(BEGINNING, model.prices, [])]
    rows, by_hour = [], []
    for entry in model.prices:
        if entry.constraint is None:
            rows.append((BEGINNING, entry.prices))
        elif hasattr(entry.constraint, "start_date"):
            rows.append((entry.constraint.start_date, entry.prices))
        else:
            start, end = entry.constraint.start_time, entry.constraint.end_time
            by_hour.append((start.hour * 60 + start.minute, end.hour * 60 + end.minute, entry.prices))
    rows = sorted(rows, key=lambda row: row[0])
    # The list does not say from which day the hours differ; it has them beside the newest price.
    return [(since, price, by_hour if at + 1 == len(rows) else []) for at, (since, price) in enumerate(rows)]


def hours_of(by_hour):
    """Rates that hold within hours of the day."""
    hours = []
    for start, end, price in by_hour:
        rates = rates_of(price)
        if rates:
            hours.append({"from_minute": start, "to_minute": end, **{k: v for k, v in rates.items() if k in BUCKETS}})
    return hours


def service_tiers(model, since, until):
    """Rates by service tier for the base price of [since, until). The lists know a tier from the day on which they
    looked at it; it is taken to hold for as long as the base price of that day."""
    newest = {}
    for variant in model.price_variants or []:
        (kind, word), *more = variant.when.items()
        if more or kind not in ("service_tier", "processing", "speed") or word == "default":
            continue
        start = getattr(variant.constraint, "start_date", BEGINNING)
        rates = rates_of(variant.prices)
        if rates and (until is None or start < until) and (word not in newest or newest[word][0] < start):
            rates.pop("web_search_per_1k", None)
            newest[word] = (start, rates)
    return {word: rates for word, (_, rates) in sorted(newest.items())}


def clauses(match):
    """[(how, text)] of a match of genai-prices."""
    kind = type(match).__name__
    if kind == "ClauseOr":
        return [found for one in match.or_ for found in clauses(one)]
    if kind == "ClauseAnd":
        # The rest only excludes models that have rows of their own.
        return clauses(match.and_[0])
    if kind == "ClauseEquals":
        return [("exact", match.equals)]
    if kind == "ClauseStartsWith":
        return [("prefix", match.starts_with)]
    if kind == "ClauseContains":
        text = match.contains
        bare = names(text)[-1]
        # Behind a region there is one price per region. `deepseek.r1` without its maker would be anything.
        if text.split(".")[0] in REGIONS or len(bare) < 4:
            return [("prefix", text)]
        return [("prefix", bare)]
    return []


# What stands before a model's maker on Bedrock.
REGIONS = {"us", "eu", "apac", "au", "jp", "us-gov", "global"}


def matches(model):
    """The clauses of a model that engine::pricing does not find by itself."""
    found = []
    for how, text in clauses(model.match):
        text = text.strip().lower()
        if text and (how, text) not in found:
            found.append((how, text))
    exact = {text for how, text in found if how == "exact"}
    prefixes = [text for how, text in found if how == "prefix"]

    def needed(how, text):
        if any(other != text and text.startswith(other) for other in prefixes):
            return False
        if how == "exact":
            others = names(text)[1:]
            return not (text in prefixes or any(o in exact or o in prefixes for o in others))
        return not any(other != text and other in prefixes for other in names(text)[1:])

    return [(how, text) for how, text in found if needed(how, text)]


def with_tiers(rates):
    """Service tiers that say nothing of much input: what an ordinary call pays for it, by their own factors."""
    for variant in rates.get("service_tiers", {}).values():
        if "tiers" in variant or "tiers" not in rates:
            continue
        tiers = []
        for tier in rates["tiers"]:
            scaled = {"above_input_tokens": tier["above_input_tokens"]}
            for bucket in BUCKETS:
                if bucket in tier and variant.get(bucket) is not None and rates.get(bucket):
                    scaled[bucket] = tier[bucket] * variant[bucket] // rates[bucket]
            tiers.append(scaled)
        variant["tiers"] = tiers


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


def genai_rows():
    for provider in genai.providers:
        if provider.id not in PROVIDERS:
            continue
        for model in provider.models:
            prices = dated(model)
            for at, (since, price, by_hour) in enumerate(prices):
                until = prices[at + 1][0] if at + 1 < len(prices) else None
                rates = rates_of(price)
                if rates is not None and by_hour:
                    rates["hours"] = hours_of(by_hour)
                if rates is None or "input" not in rates:
                    if at == 0:
                        note(f"left out: {provider.id} {model.id} has no price by the token")
                    continue
                tiers = service_tiers(model, since, until)
                if tiers:
                    rates["service_tiers"] = tiers
                    with_tiers(rates)
                for how, text in matches(model):
                    row = {
                        "price_id": f"{provider.id}/{text}{'*' if how == 'prefix' else ''}/{since}",
                        "provider": provider.id,
                        "model_match": how,
                        "model": text,
                        "valid_from": f"{since}T00:00:00Z",
                        "rates": rates,
                    }
                    if model.context_window:
                        row["context_window"] = model.context_window
                    row["source"] = PROVIDERS[provider.id]
                    yield row


class LiteLlm:
    """LiteLLM's list: dollars per token, flat keys."""

    def __init__(self, path):
        with open(path) as file:
            self.entries = json.load(file, parse_float=Decimal)

    def rates(self, entry, suffix="", above=""):
        found = {}
        for bucket, key in LITELLM_BUCKETS.items():
            value = entry.get(f"{key}{above}{suffix}")
            if value is not None:
                found[bucket] = whole(value, NANO * 10**6)
        hour = entry.get(f"cache_creation_input_token_cost_above_1hr{above}{suffix}")
        if hour is not None:
            found["cache_write_1h"] = whole(hour, NANO * 10**6)
        return None if None in found.values() else found

    def tiered(self, entry, suffix=""):
        found = self.rates(entry, suffix)
        tiers = []
        for key in entry:
            size = re.fullmatch(r"input_cost_per_token_above_(\d+)k_tokens" + suffix, key)
            rates = size and self.rates(entry, suffix, f"_above_{size[1]}k_tokens")
            if rates:
                tiers.append({"above_input_tokens": int(size[1]) * 1000, **rates})
        if found and tiers:
            found["tiers"] = sorted(tiers, key=lambda tier: tier["above_input_tokens"])
        return found

    def find(self, provider, model):
        word, prefix = IN_LITELLM.get(provider, (None, ""))
        entry = self.entries.get(prefix + model) if word else None
        return entry if entry and entry.get("litellm_provider") == word else None

    def complete(self, row):
        """Adds what is missing to a row, where both lists agree about its price. True when they do, False when they
        do not, None when this one does not know the model."""
        entry = self.find(row["provider"], row["model"])
        listed = entry and self.rates(entry)
        if not listed or "input" not in listed:
            return None
        rates = row["rates"]
        if any(listed.get(bucket) != rates.get(bucket, 0) for bucket in ("input", "output") if bucket in listed):
            return False
        if "context_window" not in row and isinstance(entry.get("max_input_tokens"), int):
            row["context_window"] = entry["max_input_tokens"]
        tiers = dict(rates.get("service_tiers", {}))
        for word, suffix in [("batch", "_batches"), ("flex", "_flex"), ("priority", "_priority")]:
            found = self.tiered(entry, suffix)
            if word not in tiers and found and "input" in found:
                tiers[word] = found
        # The rates may be shared with rows of other names.
        rates = row["rates"] = {**rates}
        for part, key in LITELLM_PARTS.items():
            if part not in rates and entry.get(key) is not None:
                rates[part] = whole(entry[key], NANO * 10**6)
        if tiers:
            row["rates"]["service_tiers"] = dict(sorted(tiers.items()))
            with_tiers(row["rates"])
        self.add_fees(row, entry)
        return True

    def add_fees(self, row, entry):
        """Fees by how much is searched, and factors by where a model runs."""
        rates, provider = row["rates"], row["provider"]
        by_size = {
            size.removeprefix("search_context_size_"): whole(fee)
            for size, fee in (entry.get("search_context_cost_per_query") or {}).items()
        }
        if provider == "perplexity" and by_size and "per_request" in rates:
            rates["per_request_by_context"] = by_size
            del rates["per_request"]
        if provider == "openai" and any(word in row["model"] for word in SEARCHES_ALWAYS) and by_size:
            rates["per_request"] = by_size["medium"]
            rates.pop("web_search_per_1k", None)
        for place in ("us",):
            factor = (entry.get("provider_specific_entry") or {}).get(place)
            if provider == "anthropic" and factor is not None:
                rates["geographies"] = {place: int(Decimal(str(factor)) * 1000)}

    def rows(self, known):
        """Models that the other list does not know, of providers that it does."""
        for provider in ALSO_FROM_LITELLM:
            word, prefix = IN_LITELLM[provider]
            for name, entry in self.entries.items():
                if entry.get("litellm_provider") != word or not name.startswith(prefix):
                    continue
                model = name[len(prefix) :].lower()
                is_text = entry.get("mode") in ("chat", "completion", "responses", "embedding")
                # `ft:` are prices for tuned models; paths are regions and deployments.
                if not is_text or ":" in model and provider != "aws" or provider in ("openai", "azure") and "/" in model:
                    continue
                rates = self.tiered(entry)
                if not rates or not rates.get("input") or known(provider, model):
                    continue
                search = (entry.get("search_context_cost_per_query") or {}).get("search_context_size_medium")
                if search is not None:
                    rates["web_search_per_1k"] = whole(search * 1000)
                for part, key in LITELLM_PARTS.items():
                    if entry.get(key) is not None:
                        rates[part] = whole(entry[key], NANO * 10**6)
                row = {
                    "price_id": f"{provider}/{model}/{BEGINNING}",
                    "provider": provider,
                    "model_match": "exact",
                    "model": model,
                    "valid_from": f"{BEGINNING}T00:00:00Z",
                    "rates": rates,
                }
                if isinstance(entry.get("max_input_tokens"), int):
                    row["context_window"] = entry["max_input_tokens"]
                row["source"] = entry.get("source") or "https://github.com/BerriAI/litellm"
                self.add_fees(row, entry)
                yield row


def corrected(rows):
    """What neither list has right, with reasons in corrections.json."""
    with open(Path(__file__).with_name("corrections.json")) as file:
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


def main():
    arguments = argparse.ArgumentParser(description="Writes prices.json from two downloaded price lists.")
    arguments.add_argument("--litellm", required=True, help="LiteLLM's model_prices_and_context_window.json")
    arguments.add_argument("--version", required=True, help="day of the edition, such as 2026-11-21")
    arguments.add_argument("--previous", help="the edition before: what no list has any more is kept for its history")
    arguments = arguments.parse_args()
    rows, seen = [], set()
    for row in genai_rows():
        key = (row["provider"], row["model_match"], row["model"], row["valid_from"])
        if key in seen:
            note(f"left out: {row['price_id']} is listed twice")
            continue
        seen.add(key)
        rows.append(row)
    litellm = LiteLlm(arguments.litellm)
    in_force = {
        (row["provider"], row["model_match"], row["model"]): row
        for row in rows
        if row["valid_from"][:10] <= arguments.version
    }
    verdicts = [(row, litellm.complete(row)) for row in in_force.values()]
    agreeing = sum(verdict is True for _, verdict in verdicts)
    for row, verdict in verdicts:
        if verdict is False:
            note(f"the lists disagree: {row['price_id']}")

    def known(provider, model):
        own = [row for row in rows if row["provider"] == provider]
        return any(
            name == row["model"] or row["model_match"] == "prefix" and name.startswith(row["model"])
            for row in own
            for name in names(model)
        )

    rows.extend(list(litellm.rows(known)))
    if arguments.previous:
        rows.extend(gone(rows, arguments.previous))
    rows = corrected(rows)
    for row in rows:
        if row["provider"] == "openai" and "output" in row["rates"]:
            row["rates"] = {**row["rates"], "tools_per_1k": {**OPENAI_TOOLS, **row["rates"].get("tools_per_1k", {})}}
    rows = [within_window(row) for row in rows if is_served(row)]
    rows.sort(key=lambda row: (row["provider"], row["model"], row["model_match"], row["valid_from"]))
    lines = ",\n".join(json.dumps(row, separators=(", ", ": ")) for row in rows)
    print(f'{{"version": "{arguments.version}", "prices": [\n{lines}\n]}}')
    models = len({(row["provider"], row["model"]) for row in rows})
    compared = sum(verdict is not None for _, verdict in verdicts)
    note(f"{len(rows)} rows for {models} names; both lists know {compared}, and agree in {agreeing}")


if __name__ == "__main__":
    main()
