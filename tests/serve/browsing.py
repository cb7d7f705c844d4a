"""The search page in a real browser: the service beside it, and a visit that hears every complaint."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from tests.serve import made_search
from tests.serve.made_search import QUESTION, CountingEngine

from biencoder.serve.app import build_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
PHONE, DESKTOP = (390, 844), (1280, 800)
FIRST = ".lane:first-child .hit:first-child"


@contextmanager
def running(index: Path, feedback: Path, engine: CountingEngine) -> Iterator[str]:
    """The service in a thread, on a port that the system chooses."""
    served = made_search.service(index, feedback=feedback, engines=[engine])
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(build_app(served), log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        # A connection made before the server is up waits in the socket's backlog.
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()
        assert not thread.is_alive()


@dataclass
class Visit:
    """A page that is open at a running service. complaints: of its console."""

    browser: Browser
    base: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str = "/", *, size: tuple[int, int] = DESKTOP, dark: bool = False) -> Page:
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
        )
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self.base + path)
        page.wait_for_selector("body[data-ready]")
        return page

    def close(self) -> None:
        """Ends the visit; nothing may have been complained of."""
        for context in self.browser.contexts:
            context.close()
        assert self.complaints == []


def ask(page: Page, question: str = QUESTION) -> None:
    """Type a question, and wait for what is found."""
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")
    page.wait_for_selector(FIRST)


def wait_until_judged(page: Page, count: str) -> None:
    """Until so many judgements are kept, and said so."""
    page.wait_for_function(
        "n => document.getElementById('judged-count').textContent === n", arg=count
    )


@contextmanager
def visiting(
    browser: Browser, index: Path, feedback: Path, engine: CountingEngine
) -> Iterator[Visit]:
    """A visit of a service of one index."""
    with running(index, feedback, engine) as base:
        made = Visit(browser, base)
        yield made
        made.close()
