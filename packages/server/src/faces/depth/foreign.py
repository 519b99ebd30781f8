"""A depth client as people wrote it in Python: `aiohttp` for HTTP, `websockets` for the session.

Usage: foreign.py URL OUT.glb PHOTO... ; prints the metadata as one JSON object.
"""

import asyncio
import base64
import json
import sys

import aiohttp
import websockets


async def main(url, out, *photos):
    async with aiohttp.ClientSession() as session:
        query = {"max_images": 50, "process_res": 504, "show_cameras": "true"}
        async with session.post(url + "/ws/session/create", params=query) as answer:
            assert answer.status == 200, await answer.text()
            made = await answer.json()
        async with websockets.connect(url.replace("http", "ws") + made["websocket_url"], max_size=None) as socket:
            assert json.loads(await socket.recv())["type"] == "connected"
            for i, path in enumerate(photos):
                with open(path, "rb") as file:
                    data = base64.b64encode(file.read()).decode()
                await socket.send(json.dumps({"type": "image", "data": data, "filename": f"p{i}.jpg"}))
                reply = json.loads(await socket.recv())
                assert reply["type"] == "ack" and reply["image_count"] == i + 1, reply
            await socket.send(json.dumps({"type": "generate", "incremental": True}))
            deltas = 0
            while True:
                said = json.loads(await socket.recv())
                assert said["type"] in ("progress", "delta", "complete"), said
                deltas += said["type"] == "delta"
                if said["type"] == "complete":
                    break
            assert deltas >= 1
            glb = base64.b64decode(said["glb_base64"], validate=True)
        # The same session by another library, and the file over HTTP.
        async with session.ws_connect(url + made["websocket_url"]) as socket:
            back = await socket.receive_json()
            assert back["image_count"] == len(photos) and back["has_result"], back
            await socket.send_json({"type": "finalize", "glb": "url"})
            while (final := await socket.receive_json())["type"] != "complete":
                assert final["type"] == "progress", final
        async with session.get(url + final["glb_url"]) as answer:
            assert await answer.read() == glb
        async with session.get(url + "/ws/session/" + made["session_id"]) as answer:
            assert (await answer.json())["status"] == "completed"
        with open(out, "wb") as file:
            file.write(glb)
        async with session.delete(url + "/ws/session/" + made["session_id"]) as answer:
            assert answer.status == 200
    print(json.dumps(said["metadata"]))


asyncio.run(main(*sys.argv[1:]))
