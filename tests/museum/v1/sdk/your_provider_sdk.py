"""A vendor's SDK as one finds them: it knows nothing of Parley, speaks a wire of its own, and raises errors of its own."""

import json

import aiohttp


class YourProviderError(Exception):
    pass


class YourProviderSDK:
    def __init__(self, *, api_key, endpoint):
        self._headers = {"x-your-provider-key": api_key}
        self._endpoint = endpoint

    async def create_stream(self, **body):
        async with aiohttp.ClientSession() as session, session.post(
            f"{self._endpoint}/stream", json=body, headers=self._headers
        ) as response:
            await self._refuse(response)
            async for line in response.content:
                yield json.loads(line)

    async def create_completion(self, **body):
        async with aiohttp.ClientSession() as session, session.post(
            f"{self._endpoint}/completion", json=body, headers=self._headers
        ) as response:
            await self._refuse(response)
            return await response.json()

    async def test_connection(self):
        async with aiohttp.ClientSession() as session, session.get(f"{self._endpoint}/me", headers=self._headers) as response:
            await self._refuse(response)

    async def _refuse(self, response):
        if response.status != 200:
            raise YourProviderError(f"{response.status}: {await response.text()}")
