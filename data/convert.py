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

from price_lists.corrected import corrected, gone, is_served, within_window
from price_lists.from_genai import genai_rows
from price_lists.from_litellm import LiteLlm
from price_lists.row import names, note

# Fees of OpenAI's own tools, which it asks for with every model: a thousand searches of files, a thousand sessions of
# the code interpreter.
OPENAI_TOOLS = {"file_search": 2_500_000_000, "code_interpreter": 30_000_000_000}


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
