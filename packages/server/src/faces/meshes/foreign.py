"""Mesh clients as people wrote them in Python: two listen (`websockets`, `aiohttp`), a program writes a design.

Usage: foreign.py URL FOLDER DESIGN.stl OUT.stl ; prints the design's metadata as one JSON object.
"""

import asyncio
import json
import os
import sys

import aiohttp
import websockets


async def main(url, folder, design, out):
    name = os.path.splitext(os.path.basename(design))[0]
    async with aiohttp.ClientSession() as session, websockets.connect(
        url.replace("http", "ws") + "/ws/meshes"
    ) as first, session.ws_connect(url + "/ws/meshes") as second:
        assert json.loads(await first.recv())["event"] == "connection_ack"
        assert (await second.receive_json())["event"] == "connection_ack"
        await first.send("ping")
        assert json.loads(await first.recv()) == {"event": "pong"}
        # Written slowly in place, as a careless program does.
        with open(design, "rb") as source, open(os.path.join(folder, os.path.basename(design)), "wb") as file:
            while piece := source.read(200):
                file.write(piece)
                file.flush()
                await asyncio.sleep(0)
        told = json.loads(await first.recv())
        assert told == await second.receive_json()
        assert told["event"] == "new_mesh" and told["design_id"] == name, told
        assert told["file_size"] == os.path.getsize(design), told
        async with session.get(url + told["url"]) as answer:
            assert answer.status == 200 and answer.content_type == "application/sla"
            data = await answer.read()
        async with session.get(url + told["metadata_url"]) as answer:
            metadata = await answer.json()
        with open(out, "wb") as file:
            file.write(data)
        os.remove(os.path.join(folder, os.path.basename(design)))
        assert json.loads(await first.recv())["event"] == "mesh_removed"
    async with websockets.connect(url.replace("http", "ws") + "/ws/meshes?since=0") as late:
        events = [json.loads(await late.recv())["event"] for _ in range(4)]
    assert events == ["connection_ack", "new_mesh", "mesh_removed", "replay_complete"], events
    print(json.dumps(metadata))


asyncio.run(main(*sys.argv[1:]))
