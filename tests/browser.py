"""A headless Chromium for tests, driven through chromedriver's plain HTTP (the W3C WebDriver protocol)."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    "--hide-scrollbars",  # so that a picture is as wide as the window
]


def missing() -> str:
    """Why there can be no browser; empty where there can."""
    absent = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"{' and '.join(absent)} not installed (Debian: chromium, chromium-driver)" if absent else ""


DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Browser:
    """One window: a page is opened in it, asked by JavaScript, and pictured."""

    def __init__(self, session: str) -> None:
        self._session = session

    def _call(self, method: str, path: str, **body: Any) -> Any:
        return call(method, f"{self._session}/{path}", body)

    def open(self, page: Path) -> None:
        self._call("POST", "url", url=page.resolve().as_uri())

    def ask(self, script: str, *arguments: Any) -> Any:
        """What a function of this body returns."""
        return self._call("POST", "execute/sync", script=script, args=list(arguments))

    def wait(self, script: str, *arguments: Any) -> Any:
        """What such a function gives to ``done``, its last argument."""
        return self._call("POST", "execute/async", script=f"const done = arguments[arguments.length - 1]; {script}",
                          args=list(arguments))  # fmt: skip

    def devtools(self, command: str, **parameters: Any) -> Any:
        return self._call("POST", "goog/cdp/execute", cmd=command, params=parameters)

    def size(self, width: int, height: int, dark: bool = False) -> None:
        """The viewport in CSS pixels, and the theme that the reader prefers."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", features=[theme])

    def complaints(self) -> list[str]:
        """What the console holds of warnings and errors since it was last asked."""
        entries = self._call("POST", "se/log", type="browser")
        return [entry["message"] for entry in entries if entry["level"] in ("WARNING", "SEVERE")]

    def picture(self) -> bytes:
        """The whole page as a PNG."""
        found = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        return base64.b64decode(found["data"])

    def printed(self) -> bytes:
        """The page as a PDF."""
        return base64.b64decode(self._call("POST", "print"))


def call(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if method in ("GET", "DELETE") else json.dumps(body or {}).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with DIRECT.open(request, timeout=60) as answer:
        return json.load(answer)["value"]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A window with a fresh profile in ``folder``."""
    options = {"args": [*FLAGS, f"--user-data-dir={folder}"], "binary": shutil.which("chromium")}
    wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
    with subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout is not None
            port = next(found[1] for line in driver.stdout if (found := re.search(r"successfully on port (\d+)", line)))
            base = f"http://127.0.0.1:{port}/session"
            session = f"{base}/{call('POST', base, {'capabilities': {'alwaysMatch': wanted}})['sessionId']}"
            try:
                yield Browser(session)
            finally:
                call("DELETE", session)
        finally:
            driver.terminate()
