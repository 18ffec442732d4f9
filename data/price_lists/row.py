"""What both lists are turned into: rows with whole nano-dollars, under the names by which the engine looks models up."""

import re
import sys
from datetime import date
from decimal import Decimal

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
