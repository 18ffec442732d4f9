"""LiteLLM's list: completes rows where both lists agree about the price, and adds models that the other does not know."""

import json
import re
from decimal import Decimal

from .row import BEGINNING, NANO, whole, with_tiers

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
# Models that search the web for each answer and are billed for it by the call.
SEARCHES_ALWAYS = ("search-preview", "search-api")


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
