"""The twelve tasks whose clicks are published can be done, with no more clicks than that."""

import re
from pathlib import Path

from bench import tasks

ROOT = Path(__file__).resolve().parents[2]


def _published() -> dict[str, int]:
    page = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    part = page.partition("<!-- tasks -->")[2].partition("<!-- /tasks -->")[0]
    return {task: int(clicks) for clicks, task in re.findall(r"^ *(\d+) +[\d.]+  (.+)$", part, re.MULTILINE)}


def test_a_newcomer_can_do_the_twelve_tasks_with_the_clicks_that_are_published(watch, launch, tmp_path):
    with launch(tmp_path / "strongroom") as running, watch() as seen:
        seen.page.set_default_timeout(60_000)
        done = tasks.do(seen.page, running.url, tasks.papers_in(tmp_path))
        assert len(done) == 12
        published = _published()
        assert {each.task: each.clicks for each in done} == {
            task: clicks for task, clicks in published.items() if task != "all twelve"
        }
        assert seen.elsewhere(running.host) == []
        assert seen.errors == []
