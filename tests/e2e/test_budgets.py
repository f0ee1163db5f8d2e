"""What the page may cost before it can be used: measured in a real browser."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Response, expect

from .browser import browsing, needs_browser

pytestmark = needs_browser

MAX_SCRIPT_BYTES = 200 * 1024
MAX_REQUESTS = 15


async def test_the_first_load_is_small(tmp_path: Path) -> None:
    async with browsing(tmp_path) as browser:
        await browser.set_up()
        await expect(browser.page.get_by_role("button", name="Settings of this chat")).to_be_visible()
        loaded: list[Response] = []
        browser.page.on("response", lambda response: loaded.append(response))  # noqa: PLW0108 - Playwright marks its handlers
        await browser.page.goto("/", wait_until="networkidle")
        await expect(browser.page.get_by_role("button", name="Settings of this chat")).to_be_visible()
        scripts = [response for response in loaded if response.request.resource_type == "script"]
        sizes = {response.url: (await response.request.sizes())["responseBodySize"] for response in scripts}
        assert all(response.headers.get("content-encoding") == "gzip" for response in scripts if sizes[response.url] > 2048)
        assert sum(sizes.values()) <= MAX_SCRIPT_BYTES, sizes
        assert len(loaded) <= MAX_REQUESTS, [response.url for response in loaded]
        assert all(response.url.startswith(browser.server.url) for response in loaded), "something came from another place"
