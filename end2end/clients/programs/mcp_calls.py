"""Lists Plumbline's tools and calls two of them with the protocol's own client, over HTTP and over stdio; prints what came
as JSON, one line for each transport.

Environment: MCP_URL and MCP_KEY (HTTP), MCP_PROGRAM with MCP_DATA (stdio)."""

import asyncio
import json
import os

import httpx2
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client


async def ask(transport: str, client: Client) -> None:
    tools = await client.list_tools()
    runs = await client.call_tool("list_runs", {"limit": 5})
    wrong = await client.call_tool("query_daily_cost", {"days": 4000})
    seen = {
        "transport": transport,
        "tools": sorted(tool.name for tool in tools.tools),
        "runs": json.loads(runs.content[0].text),
        "failed": [bool(runs.is_error), bool(wrong.is_error)],
        "words": wrong.content[0].text,
    }
    print(json.dumps(seen), flush=True)


async def main() -> None:
    headers = {"authorization": f"Bearer {os.environ['MCP_KEY']}"} if os.environ.get("MCP_KEY") else {}
    async with httpx2.AsyncClient(headers=headers) as http:
        async with Client(streamable_http_client(os.environ["MCP_URL"], http_client=http)) as client:
            await ask("http", client)
    if program := os.environ.get("MCP_PROGRAM"):
        environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "PLUMBLINE_POSTGRES_BIN")}
        environment["PLUMBLINE_DATA"] = os.environ["MCP_DATA"]
        process = StdioServerParameters(command=program, args=["mcp"], env=environment)
        async with Client(process) as client:
            await ask("stdio", client)


asyncio.run(main())
