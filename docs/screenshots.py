"""Takes the README's picture from the running page: ``make screenshots``.

Starts a node of its own in a temporary data directory, asks the README's question in a real
Chromium, and writes ``docs/img/``.
"""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright

ROOT = Path(__file__).parent.parent
QUESTION = "What is 17% of 2,340, and how does Colloquy resume a dropped connection?"
VIEWS = {
    "conversation": {"viewport": {"width": 1180, "height": 1120}},
    "conversation-dark": {"viewport": {"width": 1180, "height": 1120}, "color_scheme": "dark"},
    "conversation-phone": {"viewport": {"width": 390, "height": 780}},
}


async def main() -> None:
    folder = ROOT / "docs" / "img"
    folder.mkdir(exist_ok=True)
    data = Path(tempfile.mkdtemp(prefix="colloquy-shots-"))
    data.rmdir()
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app",
        "serve",
        "--port",
        "0",
        "--data-dir",
        str(data),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert server.stdout is not None
        url = (await server.stdout.readline()).decode().split()[-1]
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
            for name, options in VIEWS.items():
                page = await browser.new_page(locale="en-US", **options)  # type: ignore[arg-type]
                await converse(page, url)
                await page.screenshot(path=folder / f"{name}.png")
            await browser.close()
    finally:
        server.terminate()
        await server.wait()
        shutil.rmtree(data, ignore_errors=True)


async def converse(page: Page, url: str) -> None:
    await page.goto(url)
    await page.get_by_role("textbox", name="Message").fill(QUESTION)
    await page.keyboard.press("Enter")
    await page.get_by_text("Sources").first.wait_for()
    await page.locator("button[aria-controls=steps]").click()
    await page.mouse.move(0, 0)
    await page.wait_for_timeout(400)  # until the rail has unfolded


asyncio.run(main())
