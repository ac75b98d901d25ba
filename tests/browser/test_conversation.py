"""What a person does on the page, in a real browser against a real node."""

import uuid

from playwright.async_api import Browser, expect

from app.embedded.servers import Addresses
from app.observability.metrics import RESUMES
from app.protocol.close import NO_PONG
from tests.browser.conftest import ask, person
from tests.conftest import make_settings
from tests.support.node import Node, running_node
from tests.support.scripted import GATES, NAME


def gate() -> str:
    return f"g{uuid.uuid4().hex[:8]}"


async def test_a_question_is_answered_on_the_page(browser: Browser, scripted: Node) -> None:
    async with person(browser) as page:
        await page.goto(scripted.url)

        await ask(page, "say:Good say:morning")

        await expect(page.get_by_role("region", name="Answer")).to_contain_text("Goodmorning")


async def test_a_reload_in_the_middle_of_an_answer_shows_the_rest(
    browser: Browser, scripted: Node
) -> None:
    door = gate()
    async with person(browser) as page:
        await page.goto(scripted.url)
        await ask(page, f"say:before- wait:{door} say:after")
        await expect(page.get_by_role("region", name="Answer")).to_contain_text("before-")

        await page.reload()
        await expect(page.get_by_role("region", name="Answer")).to_contain_text("before-")
        GATES.open(door)

        await expect(page.get_by_role("region", name="Answer")).to_contain_text("before-after")


async def test_words_said_while_the_page_was_away_are_there_when_it_is_back(
    browser: Browser, scripted: Node
) -> None:
    door, other = gate(), gate()
    async with person(browser) as page:
        await page.goto(scripted.url)
        await ask(page, f"say:one- wait:{door} say:two- wait:{other} say:three")
        await expect(page.get_by_role("region", name="Answer")).to_contain_text("one-")

        await page.goto("about:blank")
        GATES.open(door)
        await GATES.wait_until_reached(other)
        await page.goto(scripted.url)

        await expect(page.get_by_role("region", name="Answer")).to_contain_text("one-two-")
        GATES.open(other)
        await expect(page.get_by_role("region", name="Answer")).to_contain_text("one-two-three")


async def test_a_lost_connection_is_resumed_without_loss(browser: Browser, scripted: Node) -> None:
    door = gate()
    async with person(browser) as page:
        await page.goto(scripted.url)
        await ask(page, f"say:one- wait:{door} say:two")
        await expect(page.get_by_role("region", name="Answer")).to_contain_text("one-")

        resumed = RESUMES.labels("resumed")._value.get()
        for connection in scripted.services.hub:
            connection.end(NO_PONG)
        GATES.open(door)

        await expect(page.get_by_role("region", name="Answer")).to_contain_text("one-two")
        assert RESUMES.labels("resumed")._value.get() == resumed + 1


async def test_stop_keeps_what_was_said(browser: Browser, scripted: Node) -> None:
    async with person(browser) as page:
        await page.goto(scripted.url)
        await ask(page, "say:partial sleep:60 say:never")
        await expect(page.get_by_role("region", name="Answer")).to_contain_text("partial")

        await page.get_by_role("button", name="Stop").click()

        await expect(page.get_by_role("region", name="Answer")).to_contain_text("Stopped.")
        await page.reload()
        await expect(page.get_by_role("region", name="Answer")).to_contain_text("partial")
        await expect(page.get_by_role("region", name="Answer")).to_contain_text("Stopped.")


async def test_two_tabs_live_in_step(browser: Browser, scripted: Node) -> None:
    async with person(browser) as page:
        await page.goto(scripted.url)
        await ask(page, "say:first")
        await expect(page.get_by_role("region", name="Answer")).to_contain_text("first")
        other = await page.context.new_page()
        await other.goto(page.url)
        await expect(other.get_by_role("region", name="Answer")).to_contain_text("first")

        await ask(other, "say:second")

        await expect(page.get_by_role("region", name="Answer").last).to_contain_text("second")


async def test_the_history_is_there_after_the_service_was_stopped_and_started(
    browser: Browser, stores: Addresses
) -> None:
    settings = make_settings(stores, agent=NAME)
    async with person(browser) as page:
        async with running_node(settings) as node:
            await page.goto(node.url)
            await ask(page, "say:remember say:me")
            await expect(page.get_by_role("region", name="Answer")).to_contain_text("rememberme")
            port = int(node.url.rpartition(":")[2])

        async with running_node(settings, port=port) as node:
            await page.goto(node.url)

            await expect(page.get_by_role("region", name="Answer")).to_contain_text("rememberme")
            await expect(page.get_by_role("navigation", name="Chats")).to_contain_text(
                "say:remember"
            )


async def test_an_older_chat_is_opened_from_the_history(browser: Browser, scripted: Node) -> None:
    async with person(browser) as page:
        await page.goto(scripted.url)
        await ask(page, "say:older")
        await expect(page.get_by_role("region", name="Answer")).to_contain_text("older")
        await page.get_by_role("button", name="New chat").click()
        await ask(page, "say:newer")
        await expect(page.get_by_role("region", name="Answer")).to_contain_text("newer")

        await page.get_by_role("navigation", name="Chats").get_by_text("say:older").click()

        await expect(page.get_by_role("region", name="Answer")).to_contain_text("older")


async def test_what_an_agent_says_cannot_run_in_the_page(browser: Browser, scripted: Node) -> None:
    async with person(browser) as page:
        await page.goto(scripted.url)

        await ask(page, 'say:<img/src=x/onerror="window.hit=1"><script>window.hit=1</script>ok')

        await expect(page.get_by_role("region", name="Answer")).to_contain_text("ok")
        assert await page.evaluate("window.hit") is None


async def test_a_draft_survives_a_reload(browser: Browser, scripted: Node) -> None:
    async with person(browser) as page:
        await page.goto(scripted.url)
        await page.get_by_role("textbox", name="Message").fill("not sent yet")

        await page.reload()

        await expect(page.get_by_role("textbox", name="Message")).to_have_value("not sent yet")


async def test_the_page_fits_a_small_phone(browser: Browser, scripted: Node) -> None:
    async with person(browser, viewport={"width": 320, "height": 640}) as page:
        await page.goto(scripted.url)
        await ask(page, "say:" + "long" * 200)
        await expect(page.get_by_role("region", name="Answer")).to_contain_text("long")

        overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth")

        assert overflow <= 0


async def test_the_page_speaks_korean(browser: Browser, scripted: Node) -> None:
    async with person(browser, locale="ko-KR") as page:
        await page.goto(scripted.url)

        await expect(page.get_by_role("button", name="새 대화")).to_be_visible()


async def test_the_first_question_of_the_readme_shows_both_teams_and_a_source(
    browser: Browser, supervised: Node
) -> None:
    async with person(browser) as page:
        await page.goto(supervised.url)

        await ask(page, "What is 17% of 2,340, and how does Colloquy resume a dropped connection?")

        answer = page.get_by_role("region", name="Answer")
        await expect(answer).to_contain_text("397.8")
        await expect(answer).to_contain_text("Sources")
        await page.locator("button[aria-controls=steps]").click()
        rail = page.get_by_role("list", name="Progress")
        await expect(rail).to_contain_text("Analysis")
        await expect(rail).to_contain_text("Search")
