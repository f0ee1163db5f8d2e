"""A real browser before a real server: opens the built page and notes whatever its console complains of."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import ConsoleMessage, Locator, Page, async_playwright, expect

from parley.server.pages import BUILT, INDEX

from ..integration.server_process import PASSWORD, ServerProcess, running_server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
# No sandbox and no GPU: containers have neither.
FLAGS = ("--no-sandbox", "--disable-gpu")
PATIENCE_MS = 15_000
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
# Where somebody who wants to look at the page finds what it looked like.
SCREENSHOTS = os.environ.get("PARLEY_TEST_SCREENSHOTS", "")

expect.set_options(timeout=PATIENCE_MS)

needs_browser = [
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (Debian's package chromium)"),
    pytest.mark.skipif(not (BUILT / INDEX).is_file(), reason="needs the built page (python build_page.py)"),
]


class Browser:
    """One page of one browser, and the server behind it."""

    def __init__(self, page: Page, server: ServerProcess, pictures: Path) -> None:
        self.page = page
        self.server = server
        self.complaints: list[str] = []
        self._pictures = pictures
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def set_up(self, username: str = "ada") -> None:
        """Open the page, which leads to set-up, then follow the printed link and make the first account."""
        await self.page.goto(self.server.url)
        await expect(self.page.get_by_role("heading", name="Set up Parley")).to_be_visible()
        await self.page.goto(self.server.link)
        await self.page.get_by_label("User name").fill(username)
        await self.page.get_by_label("E-mail").fill(f"{username}@example.com")
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Create the administrator").click()

    async def set_up_with_the_demo(self) -> None:
        """Ready to ask the demo."""
        await self.set_up()
        demo = self.page.get_by_role("button", name="Try the built-in demo")
        # Below all the providers there are it must not have to be looked for.
        await expect(demo).to_be_in_viewport()
        await demo.click()
        await expect(self.composer).to_be_visible()

    async def sign_in(self, username: str = "ada") -> None:
        """From the screen that asks for it."""
        await self.page.get_by_label("User name or e-mail").fill(username)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Sign in").click()

    async def say(self, text: str) -> None:
        await self.composer.fill(text)
        await self.page.get_by_role("button", name="Send").click()

    @property
    def composer(self) -> Locator:
        return self.page.get_by_role("textbox", name="Message")

    @property
    def answer(self) -> Locator:
        """The newest answer."""
        return self.page.get_by_role("article", name="Answer").last

    async def picture(self, name: str) -> None:
        await self.page.screenshot(path=self._pictures / f"{name}.png")

    async def width_beyond_the_screen(self) -> int:
        """By how many pixels the page can be scrolled sideways."""
        return await self.page.evaluate("document.scrollingElement.scrollWidth - innerWidth")

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)


@asynccontextmanager
async def browsing(directory: Path, *, variables: dict[str, str] | None = None, **context: Any) -> AsyncIterator[Browser]:
    """A page before a new server. It must not have complained by the end."""
    pictures = Path(SCREENSHOTS) if SCREENSHOTS else directory
    async with running_server(directory, **(variables or {})) as server, async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            viewing = await chromium.new_context(base_url=server.url, **({"viewport": {"width": 1280, "height": 800}} | context))
            browser = Browser(await viewing.new_page(), server, pictures)
            yield browser
            assert not browser.complaints
        finally:
            await chromium.close()
