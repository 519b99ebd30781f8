"""Heritage clients as people wrote them in Python: one photographs with `websockets`, one watches with `aiohttp`.

Usage: foreign.py URL PHOTO... ; prints one JSON object. Ends with an error where an answer is not as the contract says.
"""

import asyncio
import base64
import json
import struct
import sys

import aiohttp
import websockets

HEADER = (
    "ply\nformat binary_little_endian 1.0\nelement vertex {}\n"
    "property float x\nproperty float y\nproperty float z\n"
    "property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n"
)


def vertices(shard_data, points):
    data = base64.b64decode(shard_data, validate=True)
    header = HEADER.format(points).encode()
    assert data.startswith(header), data[:200]
    assert len(data) == len(header) + 15 * points, len(data)
    return [struct.unpack_from("<fffBBB", data, len(header) + 15 * i) for i in range(points)]


async def watch(session, url, photos, ready):
    """The scene that a viewer has in the end, by the shards that it was told."""
    scene = []
    async with session.ws_connect(url.replace("http", "ws") + "/ws/python site") as socket:
        assert (await socket.receive_json())["type"] == "initial_state_starting"
        assert (await socket.receive_json())["type"] == "initial_state_complete"
        ready.set()
        done = 0
        async for message in socket:
            said = json.loads(message.data)
            if said["type"] == "refetch_starting":
                scene = []
            elif said["type"] == "shard_update":
                scene += vertices(said["shard_data"], said["points"])
            elif said["type"] == "processing_complete":
                done += 1
                if done == photos:
                    return scene
    raise AssertionError("the socket ended early")


async def photograph(url, photos):
    """One after the other, as its answers come; then everything again by a resync."""
    async with websockets.connect(url.replace("http", "ws") + "/ws/python%20site", max_size=2**26) as socket:
        assert json.loads(await socket.recv())["total_shards"] == 0
        await socket.recv()
        for path in photos:
            with open(path, "rb") as file:
                data = base64.b64encode(file.read()).decode()
            await socket.send(json.dumps({"type": "upload_image", "image_data": "data:image/jpeg;base64," + data}))
            kinds = []
            while not kinds or kinds[-1] != "processing_complete":
                kinds.append(json.loads(await socket.recv())["type"])
            assert kinds[:2] == ["upload_acknowledged", "processing_started"], kinds
        await socket.send(json.dumps({"type": "ping"}))
        assert json.loads(await socket.recv())["type"] == "pong"
        pong = await socket.ping()
        await asyncio.wait_for(pong, 10)
        await socket.send(json.dumps({"type": "request_resync"}))
        scene = []
        while True:
            said = json.loads(await socket.recv())
            if said["type"] == "initial_state_shard":
                scene += vertices(said["shard_data"], said["points"])
            if said["type"] == "initial_state_complete":
                return scene


async def legacy(session, url):
    async with session.get(url + "/pointcloud/python site/latest") as answer:
        assert answer.status == 200, answer.status
        parts = {}
        async for part in aiohttp.MultipartReader.from_response(answer):
            parts[part.name] = await part.read(decode=True)
    pose = json.loads(parts["camera_pose"])
    assert len(pose) == 4 and all(len(row) == 4 for row in pose), pose
    return parts["pointcloud"]


async def main(url, *photos):
    async with aiohttp.ClientSession() as session:
        ready = asyncio.Event()
        watching = asyncio.ensure_future(watch(session, url, len(photos), ready))
        await ready.wait()
        block = await photograph(url, photos)
        live = await watching
        assert block == live, (len(block), len(live))
        cloud = await legacy(session, url)
        async with session.get(url + "/projects/python site/status") as answer:
            status = await answer.json()
    assert status["total_images"] == len(photos), status
    print(json.dumps({"points": len(live), "ply": base64.b64encode(cloud).decode()}))


asyncio.run(main(*sys.argv[1:]))
