"""The whole journey of a person with Strongroom, on the real program: first run, papers, answers, page, purge, idle time.

journey(command, home, …) has what `command` returns before the program's own words: strace, say. Run as a program, it makes the
journey in the process's own network namespace and prints what it found.
"""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
PASSPHRASE = "four herons on the weir at dusk"
SECONDS = 1200  # for what takes a few on a quiet machine


def journey(command, home, *, sources, idle_seconds, model, browser=True):
    """Return what was seen on the way. `sources`: folders or files of papers, copied; `model`: a GGUF, or None.

    Without `browser`, the page is only fetched.
    """
    papers = home / "papers"
    for each in sources:
        if each.is_dir():
            shutil.copytree(each, papers / each.name)
        else:
            papers.mkdir(exist_ok=True)
            shutil.copy(each, papers)
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}  # no CI
    environment |= {"HOME": str(home), "PYTHONPATH": str(ROOT), "STRONGROOM_PASSPHRASE_FILE": str(home / "secret")}
    (home / "secret").write_text(PASSPHRASE + "\n")
    (home / "secret").chmod(0o600)
    found = {}

    def strongroom(*words, fine=(0,)):
        words = [*command(), sys.executable, "-m", "ui.command", *map(str, words)]
        done = subprocess.run(
            words, cwd=home, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode in fine, (words, done.returncode, done.stderr)
        return done.stdout

    found["init"] = strongroom("init")
    with open(home / "messages", "w", encoding="utf-8") as messages:
        words = [*command(), sys.executable, "-m", "ui.command", "serve"]
        process = subprocess.Popen(
            words, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=messages, text=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        url = next(each for line in iter(process.stdout.readline, "") for each in re.findall(r"http://\S+", line))
        found["add"] = strongroom("add", papers, "--wait", fine=(0, 4))  # 4: strangers' files, some broken
        found["ask"] = json.loads(strongroom("ask", "--json", "What does the roof of the cottage cost?"))
        if model:
            found["model"] = strongroom("model", "add", model)
            # Of random weights: what it writes is nonsense, and is not shown.
            found["written"] = json.loads(strongroom("ask", "--json", "How much is the rent of the flat?"))
        found["page"] = _browse(url) if browser else _fetch(url)
        purged = next(each for each in sorted(papers.rglob("*")) if each.suffix == ".eml")
        found["purge"] = strongroom("purge", "--yes", purged)
        time.sleep(idle_seconds)
        strongroom("lock")
        _end(process)
        if model:  # without an engine, a command has one in its own process
            found["search"] = json.loads(strongroom("search", "--json", "roof"))
    finally:
        with suppress(ProcessLookupError):
            _end(process)
        process.stdout.close()
    found["messages"] = (home / "messages").read_text()
    return found


def _end(process):
    """End the launcher, which may be a child of the tracer."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if process.poll() is None:
        name = Path(f"/proc/{process.pid}/comm").read_text().strip()
        os.kill(int(children.read_text().split()[0]) if name == "strace" else process.pid, signal.SIGTERM)
        process.wait(60)


def _fetch(url):
    host = url.split("/")[2]
    asked = http.client.HTTPConnection("127.0.0.1", int(host.split(":")[1]), timeout=SECONDS)
    asked.request("GET", "/?" + url.partition("?")[2], headers={"Host": host})
    answer = asked.getresponse()
    assert answer.status == 200, answer.status
    answer.read()
    asked.request("GET", "/", headers={"Host": host, "Cookie": answer.headers["Set-Cookie"].partition(";")[0]})
    words = asked.getresponse().read().decode()
    asked.close()
    assert "<title>Strongroom</title>" in words
    return {"words": words, "elsewhere": []}


def _browse(url):
    """Open the page in a browser and ask there; return the answer's words and what was asked for elsewhere."""
    from playwright.sync_api import sync_playwright

    host = url.split("/")[2]
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page()
        page.set_default_timeout(SECONDS * 1000)
        addresses = []
        page.on("request", lambda request: addresses.append(request.url))
        page.on("websocket", lambda opened: addresses.append(opened.url))
        page.goto(url)
        box = page.get_by_placeholder(re.compile("Ask "))
        box.fill("When does the gym membership end?")
        box.press("Enter")
        turn = page.locator(".st-key-turn-0")
        turn.get_by_test_id("statement").or_(turn.get_by_test_id("abstained")).first.wait_for()
        words = turn.inner_text()
        page.get_by_role("link", name="Library").click()
        page.get_by_test_id("document").first.wait_for()
        browser.close()
    own = (f"http://{host}/", f"ws://{host}/", "data:", "blob:")
    return {"words": words, "elsewhere": [each for each in addresses if not each.startswith(own)]}


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    found = journey(
        list, Path(given["home"]), sources=[Path(each) for each in given["sources"]], idle_seconds=0,
        model=given["model"], browser=given["browser"],
    )  # fmt: skip
    with open("/proc/net/dev", encoding="ascii") as lines:
        interfaces = [line.split(":")[0].strip() for line in lines if ":" in line]
    print(json.dumps({**found, "interfaces": interfaces}))
