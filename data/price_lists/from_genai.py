"""genai-prices as rows: models and names, the days on which prices changed, tiers by input, service tiers, fees."""

from genai_prices import data as genai

from .row import BEGINNING, BUCKETS, NANO, names, note, whole, with_tiers

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
# What stands before a model's maker on Bedrock.
REGIONS = {"us", "eu", "apac", "au", "jp", "us-gov", "global"}


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
