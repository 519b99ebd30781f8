"""Image tools' clients as people wrote them in Python: a page by `websockets`, another by `aiohttp`, an app that uploads.

Usage: foreign.py URL PHOTO... ; prints what the operation brought as one JSON object.
"""

import asyncio
import json
import os
import sys

import aiohttp
import websockets


async def until(receive, kind):
    """The data of the next message of a type, and the types before it."""
    before = []
    while True:
        said = json.loads(await receive())
        if said["type"] == kind:
            return said["data"], before
        before.append(said["type"])


async def main(url, *photos):
    api = url + "/api/v1"
    async with aiohttp.ClientSession() as session:
        async with session.post(api + "/sessions", json={"user_id": "snake"}) as answer:
            made = await answer.json()
        path = "/ws/" + made["id"]
        async with websockets.connect(api.replace("http", "ws") + path) as page, session.ws_connect(api + path) as other:
            await until(page.recv, "connection.status")
            await until(other.receive_str, "connection.status")
            await page.send("ping")
            while (said := await page.recv()) != "pong":
                assert json.loads(said)["type"] == "connection.status", said
            ids = []
            for photo in photos:
                form = aiohttp.FormData()
                form.add_field("file", open(photo, "rb"), filename=os.path.basename(photo), content_type="image/jpeg")
                form.add_field("source", "android_app")
                form.add_field("session_id", made["id"])
                async with session.post(api + "/images", data=form) as answer:
                    assert answer.status == 200, await answer.text()
                    ids.append((await answer.json())["id"])
                for receive in (page.recv, other.receive_str):
                    told, _ = await until(receive, "image.uploaded")
                    assert told["image_id"] == ids[-1] and told["source"] == "android_app", told
                async with session.get(url + told["thumbnail_url"]) as answer:
                    assert answer.status == 200 and answer.content_type in ("image/jpeg", "image/png")
            body = {"session_id": made["id"], "preset": "email"}
            async with session.post(api + "/compression/bulk", json=body) as answer:
                assert answer.status == 202, await answer.text()
                operation = (await answer.json())["operation_id"]
            done, before = await until(page.recv, "operation.completed")
            assert done["operation_id"] == operation, done
            assert before == ["operation.started"] + ["image.updated", "operation.progress"] * len(photos), before
            async with session.get(api + "/images/session/" + made["id"]) as answer:
                assert [each["id"] for each in await answer.json()] == ids[::-1]
            async with session.delete(api + "/sessions/" + made["id"]) as answer:
                assert answer.status == 200
            await page.wait_closed()
            assert page.close_code == 1000, page.close_code
    print(json.dumps(done["result"]))


asyncio.run(main(*sys.argv[1:]))
