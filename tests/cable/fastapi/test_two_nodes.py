"""Two apps on one Redis are one cable: over HTTP, over the socket, and for a client whose node is gone."""

import pytest

from lineside.cable import Channel
from lineside.cable.fastapi import CableRouter, cable_router
from tests.cable.fastapi.apps import app_with, site
from tests.cable.fastapi.event_source import listening

pytestmark = [pytest.mark.anyio, pytest.mark.services]
KEY = {"Authorization": "Bearer a key of at least sixteen bytes"}


class News(Channel):
    public = True

    async def subscribed(self, topic: str = "all") -> None:
        await self.stream_from(f"news:{topic}")


def router(url: str) -> CableRouter:
    return cable_router([News], bus=url, api_key="a key of at least sixteen bytes", public_streams=["open:*"])


async def test_a_publication_to_one_node_reaches_clients_of_the_other(redis_url: str) -> None:
    async with (
        site(app_with(router(redis_url))) as one,
        site(app_with(router(redis_url))) as other,
        other.client() as client,
    ):
        await client.subscribed("News", topic="reach")
        body = {"stream": "news:reach", "data": '{"text":"hello"}'}
        assert (await one.http.post("/cable/_broadcast", json=body, headers=KEY)).status_code == 201
        assert (await client.next())["message"] == {"text": "hello"}
        stats = (await one.http.get("/cable/api/stats", headers=KEY)).json()
        assert (stats["client_count"], stats["connections"], stats["cluster_mode"]) == (1, 0, True)


async def test_a_listener_goes_on_at_another_node_without_a_gap(redis_url: str) -> None:
    second = router(redis_url)
    async with site(app_with(second)) as other:
        async with site(app_with(router(redis_url))) as one, listening(one, "channels=open:resume") as source:
            await source.next()
            await source.next()
            await second.cable.broadcast("open:resume", 1)
            assert (await source.next()).data == 1
            last_id = source.last_id
        for number in (2, 3):
            await second.cable.broadcast("open:resume", number)
        async with listening(other, "channels=open:resume", last_id=last_id) as source:
            await second.cable.broadcast("open:resume", 4)
            found = [await source.next() for _ in range(6)]
    assert [each.data for each in found if each.type == "message"] == [2, 3, 4]
