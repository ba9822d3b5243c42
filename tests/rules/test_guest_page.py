"""The script of the guest's page, as a browser runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from importlib.resources import files

import pytest

_SHOW = """
const [html, view] = process.argv.slice(1);
const script = /<script>([^]*)<\\/script>/.exec(html)[1];
const shown = {};
const element = () => ({ textContent: "", hidden: true });
global.document = { getElementById: (id) => (shown[id] ||= element()) };
global.location = { pathname: "/track/token" };
global.setTimeout = () => {};
global.fetch = async () => ({ ok: true, status: 200, json: async () => JSON.parse(view) });
global.eval(script);
setImmediate(() => {
  const texts = Object.entries(shown).map(([id, each]) => [id, each.textContent]);
  console.log(JSON.stringify(Object.fromEntries(texts)));
});
"""


def shown(**view: str) -> dict[str, str]:
    """The texts that stand on the page, by where they stand."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js")
    page = files("services.delivery").joinpath("guest_page.html").read_text(encoding="utf-8")
    whole = {"words": "", "number": "7", "status": "on-the-way", **view}
    environment = {"PATH": os.environ["PATH"], "TZ": "UTC", "LC_ALL": "en_GB.UTF-8"}
    done = subprocess.run(
        [node, "-e", _SHOW, page, json.dumps(whole)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_a_time_of_another_day_has_its_day() -> None:
    seen = shown(
        as_of="2026-11-22T10:00:00Z", p50_at="2026-11-22T23:50:00Z", p90_at="2026-11-23T00:10:00Z"
    )
    assert seen["time"].startswith("about ")
    assert "Nov" not in seen["time"]
    assert "Nov" in seen["range"]
