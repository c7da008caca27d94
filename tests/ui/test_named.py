"""What documents and their senders are called."""

import pytest

from ui.named import parts, people, sender

LONG = "Anna " * 40


@pytest.mark.parametrize(
    ("known", "shown"),
    [
        ("Anna Whitcombe <anna@whitcombe.example>", "Anna Whitcombe <anna@whitcombe.example>"),
        ("anna@whitcombe.example", "anna@whitcombe.example"),
        ("Anna Whitcombe", "Anna Whitcombe"),
        ("", ""),
        ("Anna <a@x.example>, Ben <b@x.example>", "Anna <a@x.example>, Ben <b@x.example>"),
        ('"anna@bank.example" <eve@evil.example>', "eve@evil.example, who writes as “anna@bank.example”"),
        ('"Anna <anna@bank.example>" <eve@evil.example>', "eve@evil.example, who writes as “Anna <anna@bank.example>”"),
        ("anna＠bank.example <eve@evil.example>", "eve@evil.example, who writes as “anna＠bank.example”"),
    ],
)
def test_a_sender_is_a_name_and_the_address_that_it_came_from(known, shown):
    assert sender(known) == shown


@pytest.mark.parametrize("most", [25, 40, 60, 90])
@pytest.mark.parametrize(
    "known",
    [f"{LONG}<eve@evil.example>", f'"{LONG}@bank.example" <eve@evil.example>', f"Anna <{'x' * 200}@evil.example>",
     f"{LONG}<{'x' * 200}@evil.example>", f"{'x' * 200}@evil.example"],
)  # fmt: skip
def test_however_long_a_name_is_it_does_not_push_the_end_of_the_address_out(known, most):
    assert "evil.example" in sender(known, most)
    assert len(sender(known, most)) <= most
    assert people(known)[1].endswith("evil.example")


def test_a_narrow_column_has_no_name_that_is_another_address():
    assert people("Anna Whitcombe <anna@whitcombe.example>") == ("Anna Whitcombe", "anna@whitcombe.example")
    assert people('"Anna <anna@bank.example>" <eve@evil.example>') == ("", "eve@evil.example")
    assert parts('"Anna <anna@bank.example>" <eve@evil.example>') == ("Anna <anna@bank.example>", "eve@evil.example")


def test_the_terminal_and_json_name_the_address_and_the_day_too():
    from ui import render
    from ui.terminal import Style

    hit = {
        "document": "d", "path": "/p/a.eml", "part": None, "page": None, "other_paths": [], "date": "2025-05-03T10:00:00",
        "sender": '"Anna <anna@bank.example>\u202e" <eve@evil.example>',
    }  # fmt: skip
    shown = render.source(1, hit, Style(colours=False))
    assert shown.endswith('"Anna <anna@bank.example>⟨RLO⟩" <eve@evil.example> · 3 May 2025')
