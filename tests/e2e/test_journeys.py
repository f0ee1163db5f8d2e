"""What people do with the page, in a real browser: set up, ask, reload, stop, change settings, and meet what can go wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.async_api import expect

from parley.testing.replay import Answer, ReplayServer

from .browser import PHONE, browsing, needs_browser

pytestmark = needs_browser

DEMO_BADGE = "Demo – prepared text, no AI"
UNDO_SECONDS = 7
SLOW_BEGINNING = "These words come slowly"
SLOW_END = "while it is being written."
KEY = "sk-canary-page-0d9e5b7a41"


def completion(text: str) -> Answer:
    """A vendor's streamed answer."""
    chunks = [
        {
            "id": "c-1",
            "model": "model-1",
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}],
        },
        {"id": "c-1", "model": "model-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    return Answer(headers={"content-type": "text/event-stream"}, body=body.encode(), streamed=True)


MODELS = Answer(headers={"content-type": "application/json"}, body=b'{"object": "list", "data": [{"id": "gpt-5-mini", "object": "model"}]}')
WRONG_KEY = Answer(
    status=401,
    headers={"content-type": "application/json"},
    body=json.dumps(
        {"error": {"message": "Incorrect API key provided.", "type": "invalid_request_error", "code": "invalid_api_key"}}
    ).encode(),
)


async def test_from_the_printed_link_to_a_first_answer(tmp_path: Path) -> None:
    async with browsing(tmp_path) as browser:
        page = browser.page
        await page.goto(browser.server.link)
        await expect(page.get_by_role("heading", name="Set up Parley")).to_be_visible()
        await browser.picture("set-up")
        await browser.set_up_with_the_demo()
        await expect(page.get_by_text(DEMO_BADGE)).to_be_visible()
        await browser.picture("empty-chat")
        await browser.say("markdown")
        await expect(browser.answer).to_have_attribute("aria-busy", "false")
        await expect(browser.answer.get_by_text(DEMO_BADGE)).to_be_visible()
        await expect(browser.answer.get_by_role("heading", name="Lists")).to_be_visible()
        await expect(browser.composer).to_have_value("")
        await expect(page.get_by_role("navigation", name="Chats").get_by_role("link", name="markdown")).to_be_visible()
        await browser.picture("first-answer")
        await browser.say("code")
        await expect(browser.answer.locator("pre").first).to_be_visible()
        await browser.picture("code")


async def test_a_reload_in_mid_answer_goes_on(tmp_path: Path) -> None:
    async with browsing(tmp_path) as browser:
        await browser.set_up_with_the_demo()
        await browser.say("slow")
        await expect(browser.answer).to_contain_text(SLOW_BEGINNING)
        await browser.page.reload()
        await expect(browser.answer).to_contain_text(SLOW_BEGINNING)
        await expect(browser.page.get_by_role("button", name="Stop")).to_be_visible()
        await browser.picture("answering")
        await expect(browser.answer).to_contain_text(SLOW_END, timeout=30_000)
        await expect(browser.page.get_by_role("button", name="Send")).to_be_visible()
        await expect(browser.page.get_by_role("article", name="Answer")).to_have_count(1)


async def test_stop_keeps_what_was_written(tmp_path: Path) -> None:
    async with browsing(tmp_path) as browser:
        await browser.set_up_with_the_demo()
        await browser.say("slow")
        await expect(browser.answer).to_contain_text(SLOW_BEGINNING)
        await browser.page.get_by_role("button", name="Stop").click()
        await expect(browser.answer).to_contain_text("You stopped this answer.")
        await browser.page.reload()
        await expect(browser.answer).to_contain_text("You stopped this answer.")
        await expect(browser.answer).to_contain_text(SLOW_BEGINNING)
        await expect(browser.answer).not_to_contain_text(SLOW_END)
        await browser.picture("stopped")
        await browser.page.get_by_role("button", name="Continue").click()
        await expect(browser.page.get_by_role("article", name="Answer")).to_have_count(2)
        await expect(browser.page.get_by_role("button", name="Continue")).to_have_count(0)


async def test_a_chat_asks_with_the_model_and_the_temperature_of_its_settings(tmp_path: Path) -> None:
    async with ReplayServer(completion("Hello from the vendor.")) as vendor:
        variables = {"MISTRAL_API_KEY": KEY, "MISTRAL_ENDPOINT": vendor.url}
        async with browsing(tmp_path, variables=variables) as browser:
            page = browser.page
            await browser.set_up()
            await browser.say("Hello")
            await expect(browser.answer).to_contain_text("Hello from the vendor.")
            await page.get_by_role("button", name="Settings of this chat").click()
            settings = page.get_by_role("dialog", name="Settings")
            models = settings.get_by_label("Model", exact=True)
            await expect(models).to_be_visible()
            ids = await models.locator("option").evaluate_all("options => options.map(option => option.value)")
            other = next(model for model in ids if model != vendor.requests[-1].json()["model"])
            await models.select_option(other)
            await settings.get_by_role("checkbox", name="Model default").first.click()
            slider = settings.get_by_role("slider", name="Temperature")
            await expect(slider).to_be_enabled()
            await slider.focus()
            await slider.press("Home")
            await slider.press("ArrowRight")
            await slider.press("ArrowRight")
            await browser.picture("settings")
            await settings.get_by_role("button", name="Close settings").click()
            await browser.say("Again")
            await expect(page.get_by_role("article", name="Answer")).to_have_count(2)
            await expect(browser.answer).to_have_attribute("aria-busy", "false")
            asked = vendor.requests[-1].json()
            assert (asked["model"], asked["temperature"]) == (other, 0.1)


async def test_a_long_message_has_room_in_the_list_and_where_it_is_edited(tmp_path: Path) -> None:
    question = "Explain, at some length, how a cache works and why what it holds may be stale.\n\n" + "word " * 300
    async with browsing(tmp_path) as browser:
        page = browser.page
        await browser.set_up_with_the_demo()
        await browser.say(question)
        await expect(browser.answer).to_have_attribute("aria-busy", "false")
        chats = page.get_by_role("navigation", name="Chats")
        await chats.get_by_role("link", name="Explain, at some length").hover()
        menu = page.get_by_role("button", name="Actions for Explain")
        room, button = await chats.bounding_box(), await menu.bounding_box()
        assert room is not None
        assert button is not None
        assert button["x"] + button["width"] <= room["x"] + room["width"], "the row is wider than the list"
        await page.get_by_role("article", name="You").hover()
        await page.get_by_role("button", name="Edit").click()
        await browser.picture("editing")
        field = page.get_by_role("textbox", name="Edit the message")
        assert await field.evaluate("field => field.clientHeight >= Math.min(field.scrollHeight, innerHeight / 3)")
        await field.fill("table")
        await page.get_by_role("button", name="Send as a new branch").click()
        await expect(browser.answer.locator("table")).to_be_visible()
        await page.get_by_role("button", name="Previous").first.click()
        await expect(page.get_by_role("article", name="You")).to_contain_text("at some length")


async def test_sign_out_and_in_again(tmp_path: Path) -> None:
    async with browsing(tmp_path) as browser:
        page = browser.page
        await browser.set_up_with_the_demo()
        await browser.say("table")
        await expect(browser.answer).to_have_attribute("aria-busy", "false")
        await page.get_by_role("button", name="Account of ada").click()
        await page.get_by_role("menuitem", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        await expect(page.get_by_role("article")).to_have_count(0)
        await browser.picture("sign-in")
        await browser.sign_in()
        await page.get_by_role("navigation", name="Chats").get_by_role("link", name="table").click()
        await expect(browser.answer.locator("table")).to_be_visible()


async def test_a_deleted_chat_is_gone_at_once_and_stays_gone(tmp_path: Path) -> None:
    async with browsing(tmp_path) as browser:
        page = browser.page
        chats = page.get_by_role("navigation", name="Chats")
        await browser.set_up_with_the_demo()
        await browser.say("table")
        await expect(browser.answer).to_have_attribute("aria-busy", "false")
        await page.get_by_role("button", name="Actions for table").click()
        await page.get_by_role("menuitem", name="Rename").click()
        await page.get_by_role("textbox", name="Title of the chat").fill("Grown tables")
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="Actions for Grown tables").click()
        await page.get_by_role("menuitem", name="Delete").click()
        await page.get_by_role("button", name="Undo").click()
        await expect(chats.get_by_role("link", name="Grown tables")).to_be_visible()
        await page.get_by_role("button", name="Actions for Grown tables").click()
        await page.get_by_role("menuitem", name="Delete").click()
        await expect(chats.get_by_role("link", name="Grown tables")).to_have_count(0)
        await page.keyboard.press("Control+k")
        await page.get_by_role("combobox", name="Search chats").fill("tables")
        await expect(page.get_by_text("Nothing was found for")).to_be_visible(timeout=UNDO_SECONDS * 500)
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Undo")).to_be_visible()
        # Signing out while it could still be undone must not bring it back.
        await page.get_by_role("button", name="Account of ada").click()
        await page.get_by_role("menuitem", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        await expect(page.get_by_role("button", name="Undo")).to_have_count(0)
        await browser.sign_in()
        await expect(browser.composer).to_be_visible()
        await expect(chats.get_by_text("Your chats will be listed here.")).to_be_visible()


async def test_where_nothing_is_set_up_the_administrator_is_led_there_and_others_are_told_whom_to_ask(tmp_path: Path) -> None:
    async with browsing(tmp_path, variables={"DEMO": "off"}) as browser:
        page = browser.page
        await browser.set_up()
        first = page.get_by_role("region", name="Set up a first provider")
        await expect(first).to_be_visible()
        await page.get_by_label("Search providers").fill("qwen alib")
        await expect(first.locator(".choice")).to_have_count(1)
        await page.get_by_label("Search providers").fill("nobody's")
        await expect(first.get_by_text("No provider has this")).to_be_visible()
        await page.get_by_role("button", name="Account of ada").click()
        await page.get_by_role("menuitem", name="Sign out").click()
        await browser.server.sign_up("grace")
        await browser.sign_in("grace")
        await expect(page.get_by_text("The administrator of this server can add one.")).to_be_visible()
        await browser.picture("nothing-set-up")
        await expect(browser.composer).to_have_count(0)
        await expect(page.get_by_text("demo")).to_have_count(0)


async def test_a_wrong_key_is_told_in_place_and_a_right_one_leads_on(tmp_path: Path) -> None:
    async with ReplayServer(WRONG_KEY) as vendor, browsing(tmp_path, variables={"OPENAI_ENDPOINT": vendor.url}) as browser:
        page = browser.page
        await browser.set_up()
        card = page.get_by_role("region", name="Set up a first provider")
        await expect(card).to_be_visible()
        await browser.picture("first-provider")
        await card.get_by_role("button", name=re.compile("^OpenAI")).first.click()
        await card.get_by_label(re.compile("^Key for OpenAI")).fill(KEY)
        await card.get_by_role("button", name="Save and test").click()
        await expect(card.get_by_text("could not be used")).to_be_visible()
        await expect(card.get_by_text(re.compile("key", re.IGNORECASE)).first).to_be_visible()
        await expect(card.get_by_role("button", name="Start chatting")).to_be_disabled()
        await browser.picture("wrong-key")
        assert KEY not in await page.content()
        assert vendor.requests[-1].headers["authorization"] == f"Bearer {KEY}"
        vendor.answer_with(MODELS, completion("Hello."))
        await card.get_by_label(re.compile("^Key for OpenAI")).fill(KEY[::-1])
        await card.get_by_role("button", name="Save and test").click()
        await card.get_by_role("button", name="Start chatting").click()
        await browser.say("Hello")
        await expect(browser.answer).to_contain_text("Hello.")
        assert vendor.requests[-1].headers["authorization"] == f"Bearer {KEY[::-1]}"


async def test_a_provider_that_is_down_says_so_and_retry_brings_the_answer(tmp_path: Path) -> None:
    async with ReplayServer(WRONG_KEY) as vendor:
        port, endpoint = vendor.port, vendor.url
    variables = {"MISTRAL_API_KEY": KEY, "MISTRAL_ENDPOINT": endpoint}
    async with browsing(tmp_path, variables=variables) as browser:
        await browser.set_up()
        await browser.say("Hello")
        await expect(browser.answer).to_contain_text("There is no answer.")
        await browser.picture("provider-down")
        async with ReplayServer(completion("Back again."), port=port):
            await browser.answer.get_by_role("button", name="Retry").click()
            await expect(browser.answer).to_contain_text("Back again.")
        await expect(browser.answer).not_to_contain_text("There is no answer.")


async def test_what_a_model_writes_runs_nothing(tmp_path: Path) -> None:
    async with browsing(tmp_path) as browser:
        dialogs: list[str] = []
        browser.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        await browser.set_up_with_the_demo()
        await browser.say("hostile")
        await expect(browser.answer).to_have_attribute("aria-busy", "false")
        await expect(browser.answer).not_to_contain_text("[a link that is a script]")
        await expect(browser.answer.locator("script, iframe, object, [onerror], [onclick], a[href^='javascript:']")).to_have_count(0)
        await browser.picture("hostile")
        assert not dialogs
        assert await browser.page.title() == "hostile – Parley"


async def test_on_a_phone_everything_is_in_reach(tmp_path: Path) -> None:
    async with browsing(tmp_path, **PHONE) as browser:
        page = browser.page
        await browser.set_up()
        await expect(page.get_by_role("region", name="Set up a first provider")).to_be_visible()
        await browser.picture("phone-first-provider")
        assert await browser.width_beyond_the_screen() <= 0
        await page.get_by_role("button", name="Try the built-in demo").tap()
        await browser.picture("phone-empty")
        for word in ("table", "code", "markdown"):
            await browser.say(word)
            await expect(page.get_by_role("button", name="Send")).to_be_visible()
            await expect(browser.answer).to_have_attribute("aria-busy", "false")
            assert await browser.width_beyond_the_screen() <= 0
        await browser.picture("phone-answer")
        await page.get_by_role("button", name="Settings of this chat").tap()
        await expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
        await browser.picture("phone-settings")
        assert await browser.width_beyond_the_screen() <= 0
        await page.get_by_role("button", name="Close settings").tap()
        await page.get_by_role("button", name="Open the list of chats").tap()
        await expect(page.get_by_role("navigation", name="Chats").get_by_role("link", name="table")).to_be_visible()
        await browser.picture("phone-drawer")


async def test_the_page_says_so_where_what_is_written_is_logged(tmp_path: Path) -> None:
    said = "write what is asked and answered to its log"
    logged, not_logged = tmp_path / "logged", tmp_path / "not-logged"
    logged.mkdir()
    not_logged.mkdir()
    async with browsing(logged, variables={"LOG_CONTENT": "on"}) as browser:
        await browser.set_up_with_the_demo()
        await expect(browser.page.get_by_text(said)).to_be_visible()
        await browser.say("table")
        await expect(browser.answer).to_have_attribute("aria-busy", "false")
        await expect(browser.page.get_by_text(said)).to_be_visible()
        await browser.picture("logged")
    async with browsing(not_logged) as browser:
        await browser.set_up_with_the_demo()
        await expect(browser.page.get_by_text(said)).to_have_count(0)


async def test_in_the_dark(tmp_path: Path) -> None:
    async with browsing(tmp_path, color_scheme="dark") as browser:
        await browser.set_up_with_the_demo()
        await browser.picture("dark-empty")
        await browser.say("code")
        await expect(browser.answer.locator("pre").first).to_be_visible()
        await expect(browser.answer).to_have_attribute("aria-busy", "false")
        await browser.picture("dark-answer")
        background = await browser.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(int(part) for part in re.findall(r"\d+", background)[:3]) < 80
