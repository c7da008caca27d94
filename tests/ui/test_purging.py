"""A purge's stages in words, on the page and in a terminal."""

import pytest

from engine import erased
from ui import page_purge, purging, render
from ui.shown import with_code
from ui.terminal import Style

STYLE = Style(colours=False)
RECEIPT = {
    "id": 3,
    "at": 1_700_000_000.0,
    "removed": {"documents": 1, "attachments": 0, "chunks": 2, "vectors": 2, "paths": 1, "files": 1, "turns": 0},
    "checks": [{"what": "ids", "where": "every table", "searched": 2, "found": 0}],
    "confirmed": True,
    "elsewhere": 0,
    "not_covered": ["the file itself"],
    "stage": {"name": "erased", "why": "it will be in a moment"},
    "backups": [],
}
SHREDDED = {"name": "shredded", "at": 1_700_000_100.0, "pages": 1200, "confirmed": True, "checks": []}
HELD = [
    {"path": "/mnt/<b>stick\u202e", "at": 1_699_999_000.0, "holds": "yes"},
    {"path": "/mnt/old", "at": 1_600_000_000.0, "holds": "perhaps"},
]


@pytest.mark.parametrize(
    ("stage", "tone", "said"),
    [
        ({"name": "erased", "why": "the setting `shred` is no"}, "warn", "not yet shredded: the setting `shred` is no"),
        ({"name": "shredding", "percent": 42}, "warn", "being shredded, 42 % of the database"),
        (SHREDDED, "good", "1,200 pages read back, nothing was found"),
        ({**SHREDDED, "confirmed": False}, "bad", "1,200 pages read back, and something was found"),
        ({**SHREDDED, "pages": 0}, "good", "the vault has the old one no more"),
    ],
)
def test_each_stage_has_its_words_and_its_tone(stage, tone, said):
    found = {**RECEIPT, "stage": stage}
    assert purging.stage(found)[0] == tone
    assert said in purging.stage(found)[1]
    assert said in "\n".join(render.receipt(found, STYLE))
    shown = page_purge.stage(found)
    assert with_code(said) in shown
    assert f'class="{tone}"' in shown


def test_page_and_terminal_count_the_same():
    found = {**RECEIPT, "removed": dict.fromkeys(RECEIPT["removed"], 2)}
    told = "\n".join(render.receipt(found, STYLE))
    shown = page_purge._summary(found)
    for counted in ("documents", "attachments", "passages", "vectors", "places", "file names"):
        assert f"2 {counted}" in told
        assert f"2 {counted}" in shown


def test_what_is_shredded_soon_is_said_in_a_sentence():
    soon = erased._stage(3, None, None, {"stage": "soon"})
    assert purging.stage({"stage": soon})[1] == "erased; not yet shredded: it will be in a moment"


def test_backups_that_hold_it_are_named_and_cannot_act(capsys):
    found = {**RECEIPT, "backups": HELD}
    screen = "\n".join(render.receipt(found, STYLE))
    assert "while it was in the vault: it still holds it" in screen
    assert "only if the vault had it earlier, too" in screen
    assert "\u202e" not in screen
    shown = page_purge.stage(found)
    assert "&lt;b&gt;stick" in shown
    assert "<b>stick" not in shown
    assert "\u202e" not in shown
    assert purging.NO_BACKUPS in "\n".join(render.receipt(RECEIPT, STYLE))


@pytest.mark.parametrize(
    ("shredding", "said"),
    [
        ({"wanted": True, "fits": True}, "12.0 MB are free"),
        ({"wanted": True, "fits": False}, "it is erased at once, and shredded when there is room"),
        ({"wanted": False, "fits": True}, "the setting `shred` is no"),
    ],
)
def test_the_space_is_said_before(shredding, said):
    words = purging.space({**shredding, "needed_bytes": 50_000_000, "free_bytes": 12_000_000, "folder": "/vault"})
    assert said in words


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("none", ""),
        ("copying", "shredding 2 purges: 7 %"),
        ("soon", "2 purges erased, shredded in a moment"),
        ("room", "2 purges erased and not shredded: because"),
        ("off", "2 purges erased and not shredded: because"),
        ("failed", "2 purges erased and not shredded: because"),
    ],
)
def test_what_goes_on_is_a_line_of_the_status(stage, said):
    assert purging.under_way({"stage": stage, "pending": 2, "percent": 7, "why": "because"}) == said
