"""A headless Chromium, driven over the pipe of its own protocol: what a page logs, asks for and shows."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 120.0  # seconds: a machine may be busy
OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)
LOUD = ("error", "warning", "assert")


def executable() -> str | None:
    """The first browser on the path."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of one browser. What it logged and what it asked the network for is kept."""

    def __init__(self, process: subprocess.Popen[bytes], read: int, write: int):
        self.process, self.read, self.write = process, read, write
        self.buffer, self.last, self.session = b"", 0, ""
        self.messages: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, path: Path, fragment: str = "", width: int = 1280, height: int = 900) -> None:
        """Open a file as a reader would, in a window of this size."""
        self.resize(width, height)
        self.call("Page.navigate", url="about:blank")  # so that the same file is loaded anew
        self.messages.clear()
        self.requests.clear()
        self.call("Page.navigate", url=f"{path.resolve().as_uri()}{fragment}")
        self.wait_for("location.protocol === 'file:' && document.readyState === 'complete'")

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def value(self, expression: str) -> Any:
        """What the page makes of a JavaScript expression; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """The expression's value as soon as it is true."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if value := self.value(expression):
                return value
            time.sleep(0.05)
        raise AssertionError(f"never true: {expression}; the page logged {self.messages}")

    def click(self, selector: str) -> None:
        """A click of the mouse in the middle of the element."""
        x, y = self.value(
            f"""(() => {{
              const element = document.querySelector({json.dumps(selector)});
              element.scrollIntoView({{ block: "center", behavior: "instant" }});
              const box = element.getBoundingClientRect();
              return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"""
        )
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, selector: str, text: str) -> None:
        """Focus the element and type."""
        self.value(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def screenshot(self, path: Path, full: bool = False) -> Path:
        made = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=full)
        path.write_bytes(base64.b64decode(made["data"]))
        return path

    def pdf(self, path: Path) -> Path:
        made = self.call("Page.printToPDF", printBackground=False, preferCSSPageSize=True)
        path.write_bytes(base64.b64decode(made["data"]))
        return path

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol; what happens until its answer is noted."""
        self.last += 1
        session = {"sessionId": self.session} if self.session else {}
        message = {"id": self.last, "method": method, "params": parameters} | session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(method)
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer.get("method", ""), answer.get("params", {}))

    def _next(self, waiting_for: str) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read], [], [], PATIENCE)
            data = os.read(self.read, 1 << 16) if ready else b""
            if not data:
                raise AssertionError(
                    f"the browser did not answer {waiting_for}; exit code {self.process.poll()}"
                )
            self.buffer += data
        text, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(text)

    def _note(self, event: str, details: dict[str, Any]) -> None:
        if event == "Runtime.consoleAPICalled" and details["type"] in LOUD:
            self.messages.append(" ".join(str(one.get("value", one)) for one in details["args"]))
        elif event == "Runtime.exceptionThrown":
            self.messages.append(json.dumps(details["exceptionDetails"]))
        elif event == "Log.entryAdded" and details["entry"]["level"] in LOUD:
            self.messages.append(details["entry"]["text"])
        elif event == "Page.javascriptDialogOpening":
            self.messages.append(f"a dialog: {details['message']}")
            self.call("Page.handleJavaScriptDialog", accept=True)
        elif event == "Network.requestWillBeSent":
            self.requests.append(details["request"]["url"][:200])


@contextmanager
def started(profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, ended with the block."""
    program = executable()
    assert program is not None, "no browser on the path"
    from_browser, to_browser = os.pipe(), os.pipe()
    theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_browser[0], from_browser[1])]
    root = ["--no-sandbox"] if os.geteuid() == 0 else []

    def as_three_and_four() -> None:
        os.dup2(theirs[0], 3)
        os.dup2(theirs[1], 4)

    process = subprocess.Popen(
        [program, *OPTIONS, *root, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(3, 4),
        preexec_fn=as_three_and_four,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for end in (*theirs, to_browser[0], from_browser[1]):
        os.close(end)
    try:
        browser = Browser(process, from_browser[0], to_browser[1])
        yield browser
        browser.session = ""
        browser.call("Browser.close")
    finally:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(from_browser[0])
        os.close(to_browser[1])
