"""Takes the pictures of TensorBoard that docs/tensorboard.md shows, in headless Chromium.

    python tools/screenshots.py RUN [--out docs/images]

RUN is a run directory or a folder of logs. Needs chromium (Debian: apt install chromium) and
Playwright (pip install playwright).
"""

import argparse
import contextlib
import io
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

TABS = ("timeseries", "images", "text", "graphs", "pr_curves", "hparams", "projector")
SIZE = {"width": 1400, "height": 1000}  # pixels
DRAWN_AFTER = 4000  # milliseconds: plots and pictures have no sign of being complete


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("logs", type=Path, metavar="RUN")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "images")
    parser.add_argument("--tabs", nargs="+", default=TABS, choices=TABS)
    options = parser.parse_args()
    if not options.logs.is_dir():
        parser.error(f"there is no folder {options.logs}")
    with tensorboard(options.logs) as address, browser_page() as page:
        for tab in options.tabs:
            open_tab(page, address, tab)
            path = options.out / f"tensorboard_{tab}.png"
            path.write_bytes(small_png(page.screenshot()))
            print(path)
    return 0


@contextlib.contextmanager
def tensorboard(logs: Path) -> Iterator[str]:
    """Run TensorBoard on a folder of logs; give its address once it has read them."""
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", logs, "--port", str(port)]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        address = f"http://localhost:{port}"
        _wait_for_runs(address)
        yield address
    finally:
        server.terminate()
        server.wait()


def _wait_for_runs(address: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{address}/data/runs", timeout=5) as response:
                if len(response.read()) > len("[]"):
                    return
        except OSError:
            pass  # it has not started yet
        time.sleep(0.5)
    raise SystemExit(f"TensorBoard at {address} shows no run after {seconds:.0f} s")


@contextlib.contextmanager
def browser_page() -> Iterator[Any]:
    """Give a page of headless Chromium, which draws without a GPU."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--enable-unsafe-swiftshader"]
        )
        yield browser.new_page(viewport=SIZE)
        browser.close()


def open_tab(page: Any, address: str, tab: str) -> None:
    """Open a tab of TensorBoard and wait until it is drawn."""
    page.goto("about:blank")  # another tab of the same address alone would load nothing
    page.goto(f"{address}/?darkMode=false#{tab}")
    page.wait_for_timeout(DRAWN_AFTER)


def small_png(screenshot: bytes) -> bytes:
    """Return a screenshot with 128 colors, a fifth of its bytes."""
    written = io.BytesIO()
    Image.open(io.BytesIO(screenshot)).convert("RGB").quantize(128).save(
        written, "PNG", optimize=True
    )
    return written.getvalue()


if __name__ == "__main__":
    sys.exit(main())
