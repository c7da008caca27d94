"""How the page looks: a little CSS on top of Streamlit's theme, and the few HTML pieces that all screens share.

Colours are mixed from the current text colour, so that they fit light and dark alike. The markup that Streamlit makes is addressed
through `key=` (class `st-key-…`) and `data-testid`, which are its stable names.
"""

from collections.abc import Iterable

from ui.shown import escape, line

_CSS = """
:root { --line: color-mix(in srgb, currentColor 14%, transparent); --soft: color-mix(in srgb, currentColor 5%, transparent);
  --faint: color-mix(in srgb, currentColor 62%, transparent); --paper: #fffefb; --mark: #ffe7a3; --good: #1d6b57; --warn: #9a6a00;
  --bad: #b3372b; --serif: "Source Serif", Georgia, serif; }
@media (prefers-color-scheme: dark) { :root { --paper: #1d201d; --mark: #6b5713; --good: #5cc0a3; --warn: #e0b24d; --bad: #f08b7d; } }
[data-testid="stHeader"], [data-testid="stToolbar"], [data-testid="stDecoration"] { display: none; }
[data-testid="stMainBlockContainer"] { max-width: 1240px; padding: 1.1rem 1.5rem 6rem; }
[data-testid="stBottomBlockContainer"] { max-width: 1240px; padding: .4rem 1.5rem 1.2rem; }
[data-testid="stBottom"] > div { background: transparent; }
[data-testid="stHtml"] p, [data-testid="stHtml"] h1, [data-testid="stHtml"] h2 { margin: 0; }
mark { background: var(--mark); color: inherit; border-radius: .18em; padding: .05em .1em; box-decoration-break: clone;
  -webkit-box-decoration-break: clone; }

.st-key-bar { align-items: center; border-bottom: 1px solid var(--line); padding-bottom: .7rem; margin-bottom: .9rem; gap: .3rem 1rem; }
.brand { display: flex; align-items: center; gap: .5rem; font: 600 1.18rem/1 var(--serif); letter-spacing: .005em; white-space: nowrap; }
.brand svg { width: 1.4rem; height: 1.4rem; color: var(--good); }
.st-key-bar [data-testid="stPageLink-NavLink"] { padding: .3rem .7rem; border-radius: 99px; }
.state { display: flex; align-items: center; gap: .45rem; font-size: .84rem; color: var(--faint); white-space: nowrap; }
.dot { width: .55rem; height: .55rem; border-radius: 50%; background: currentColor; flex: none; display: inline-block; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); } .faint { color: var(--faint); }
.working .dot { animation: breathe 1.6s ease-in-out infinite; }
@keyframes breathe { 50% { opacity: .25; } }
@media (prefers-reduced-motion: reduce) { .working .dot { animation: none; } }

.title { font: 600 1.7rem/1.25 var(--serif); margin: 0 0 .2rem; }
.lead { color: var(--faint); max-width: 46rem; line-height: 1.5; }
.hero { text-align: center; padding: min(13vh, 7rem) 1rem 1.2rem; }
.hero .title { font-size: 2.2rem; }
.hero .lead { margin: .3rem auto 0; }
.hints { display: flex; flex-wrap: wrap; gap: .5rem; justify-content: center; margin-top: 1.3rem; }
.hints span { border: 1px solid var(--line); border-radius: 99px; padding: .25rem .8rem; font-size: .86rem; color: var(--faint); }
.hints code { font-size: .82rem; background: none; color: inherit; padding: 0; }

.notice { border-left: 3px solid currentColor; background: color-mix(in srgb, currentColor 7%, transparent); border-radius: 0 .5rem .5rem 0;
  padding: .6rem .9rem; line-height: 1.5; } .notice span { color: var(--st-text, inherit); }
.notice b { font-weight: 600; }

.question { margin: 1.2rem 0 .1rem auto; width: fit-content; max-width: 85%; background: color-mix(in srgb, var(--good) 14%, transparent);
  border-radius: 1rem 1rem .25rem 1rem; padding: .55rem 1rem; line-height: 1.5; white-space: pre-wrap; overflow-wrap: anywhere; }
.readas { text-align: right; font-size: .82rem; color: var(--faint); }
.say { font: 1.08rem/1.62 var(--serif); overflow-wrap: anywhere; padding: .1rem .3rem; border-radius: .4rem; }
.say sup { font: 600 .68rem/1 "Source Sans", sans-serif; color: var(--good); background: color-mix(in srgb, var(--good) 13%, transparent);
  border-radius: .35rem; padding: .12rem .34rem; margin-left: .22rem; vertical-align: .42em; }
.say .unsupported { font: 600 .72rem/1 "Source Sans", sans-serif; color: var(--warn); margin-left: .4rem; }
.abstain { font: 600 1.14rem/1.5 var(--serif); }
.after { font-size: .8rem; color: var(--faint); }

.card { border: 1px solid var(--line); border-radius: .6rem; padding: .6rem .8rem; background: var(--paper); overflow: hidden; }
.card .top { display: flex; gap: .55rem; align-items: baseline; }
.card .n { font: 600 .74rem/1.45 "Source Sans", sans-serif; color: var(--good); background: color-mix(in srgb, var(--good) 13%, transparent);
  border-radius: .35rem; padding: 0 .4rem; flex: none; }
.card .name { font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.card .meta { font-size: .82rem; color: var(--faint); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.card .quote { font: .94rem/1.5 var(--serif); margin-top: .3rem; display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical;
  overflow: hidden; overflow-wrap: anywhere; }
.chosen .card { border-color: var(--good); box-shadow: inset 3px 0 0 var(--good); }

.row { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .1rem 1rem; padding: .5rem .4rem; border-bottom: 1px solid var(--line); }
.row .name { font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.row .meta { font-size: .82rem; color: var(--faint); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; direction: ltr; }
.row .right { text-align: right; white-space: nowrap; font-size: .82rem; }
.row .why { grid-column: 1 / -1; font-size: .84rem; overflow-wrap: anywhere; }
[data-testid="stVerticalBlock"]:has(> [class*="st-key-pick-"]) { gap: .55rem; }
.st-key-rows { gap: 0 !important; }

/* What can be clicked as a whole: a button, invisible and as large as what it opens, lies over it. */
[class*="st-key-pick-"] { position: relative; gap: 0; }
[class*="st-key-pick-"] > [data-testid="stElementContainer"]:has(button) { position: absolute; inset: 0; width: auto !important; z-index: 1; }
[class*="st-key-pick-"] [data-testid="stButton"], [class*="st-key-pick-"] [data-testid="stButton"] div { height: 100%; width: 100%; }
[class*="st-key-pick-"] button { width: 100%; height: 100%; min-height: 0; opacity: 0; border-radius: .6rem; }
[class*="st-key-pick-"]:hover .card, [class*="st-key-pick-"]:hover .say, [class*="st-key-pick-"]:hover .row { background: var(--soft); }
[class*="st-key-pick-"]:has(button:focus-visible) { outline: 2px solid var(--good); outline-offset: 2px; border-radius: .6rem; }

.st-key-passage { border: 1px solid var(--line); border-radius: .8rem; background: var(--paper); padding: .9rem 1.1rem 1.1rem; gap: .6rem; }
.head .kind { font-size: .76rem; letter-spacing: .06em; text-transform: uppercase; color: var(--faint); }
.head .name { font: 600 1.22rem/1.35 var(--serif); overflow-wrap: anywhere; }
.head dl { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: .1rem .8rem; margin: .45rem 0 0; font-size: .86rem; }
.head dt { color: var(--faint); } .head dd { margin: 0; overflow-wrap: anywhere; }
.reading { font: 1rem/1.62 var(--serif); white-space: pre-wrap; overflow-wrap: anywhere; border-top: 1px solid var(--line); padding-top: .8rem; }
.reading .heading { font-weight: 700; } .reading .fields, .reading .quote, .reading .signature { color: var(--faint); font-size: .94em; }
.reading .row, .reading .header { display: inline; border: 0; padding: 0; font: .84rem/1.6 "Source Code", monospace; } .reading .header { font-weight: 700; }
.reading .leaf { display: block; text-align: center; font: .76rem/1 "Source Sans", sans-serif; color: var(--faint); margin: .9rem 0; white-space: nowrap; }
.reading .cut { color: var(--faint); }

.code { font: 600 1.25rem/1.9 "Source Code", monospace; letter-spacing: .06em; text-align: center; border: 1px dashed var(--line); border-radius: .6rem;
  padding: .9rem; overflow-wrap: anywhere; background: var(--soft); user-select: all; }
.bar { height: .5rem; border-radius: 99px; background: var(--soft); overflow: hidden; margin: .5rem 0 .35rem; }
.bar i { display: block; height: 100%; background: var(--good); border-radius: 99px; transition: width .6s; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .7rem; }
.facts div { border: 1px solid var(--line); border-radius: .6rem; padding: .6rem .8rem; background: var(--paper); }
.facts b { display: block; font: 600 1.3rem/1.3 var(--serif); } .facts span { font-size: .8rem; color: var(--faint); }
.st-key-door { max-width: 30rem; margin: min(9vh, 5rem) auto 0; }
.door svg { width: 3rem; height: 3rem; color: var(--good); margin-bottom: .6rem; }
.strength { display: flex; gap: .25rem; margin: .1rem 0 .3rem; } .strength i { height: .28rem; flex: 1; border-radius: 9px; background: var(--line); }
.strength i.on { background: currentColor; }

@media (max-width: 900px) {
  [data-testid="stMainBlockContainer"] { padding: .7rem .8rem 6rem; }
  .st-key-bar { column-gap: .2rem; }
  .st-key-passage { position: fixed; inset: 0; z-index: 999990; overflow: auto; border: 0; border-radius: 0; }
  .hero { padding-top: 2.2rem; } .hero .title { font-size: 1.7rem; }
  .row { padding: .55rem .1rem; }
}
@media (min-width: 901px) {
  [data-testid="stColumn"]:has(> [data-testid="stVerticalBlock"] .st-key-passage) > [data-testid="stVerticalBlock"] { position: sticky; top: 1rem; }
  .st-key-passage { max-height: calc(100vh - 9rem); overflow: auto; display: block; }
}
"""

MARK = (
    '<svg viewBox="0 0 32 32" aria-hidden="true"><rect x="2" y="3" width="28" height="24" rx="5" fill="currentColor"/>'
    '<rect x="6" y="27" width="5" height="3" rx="1" fill="currentColor"/><rect x="21" y="27" width="5" height="3" rx="1" fill="currentColor"/>'
    '<g fill="none" stroke="#f4efe0" stroke-width="2.4"><circle cx="16" cy="15" r="7"/><path d="M16 8v14M9 15h14"/></g></svg>'
)


def apply() -> None:
    """Put the styles on the page; the first thing that every run draws."""
    import streamlit as st

    st.html(f"<style>{_CSS}</style>")


def title(words: str, lead: str = "") -> None:
    """A screen's title and, below it, a sentence."""
    import streamlit as st

    st.html(f'<h1 class="title">{escape(words)}</h1>' + (f'<p class="lead">{escape(lead)}</p>' if lead else ""))


def notice(kind: str, what: str, hint: str = "") -> None:
    """A framed sentence; `kind` is good, warn, bad or faint."""
    import streamlit as st

    more = f"<br><span>{escape(_sentence(hint))}</span>" if hint else ""
    st.html(f'<div class="notice {kind}" role="status"><span>{escape(_sentence(what))}</span>{more}</div>')


def failure(error: Exception) -> None:
    """What went wrong and what to do about it."""
    notice("bad", getattr(error, "message", "") or "something went wrong", getattr(error, "hint", ""))


def pick(key: str, html: str, label: str, *, chosen: bool = False) -> bool:
    """Something that is clicked as a whole. `html` is already escaped; `label` is ours, read out by screen readers.

    True in the run that follows the click.
    """
    import streamlit as st

    with st.container(key=f"pick-{key}"):
        st.html(f'<div class="{"chosen" if chosen else "free"}">{html}</div>')
        return st.button(label, key=f"go-{key}")


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Numbers with what they count below them, as HTML."""
    return '<div class="facts">' + "".join(f"<div><b>{line(value)}</b><span>{escape(name)}</span></div>" for value, name in pairs) + "</div>"


def _sentence(words: str) -> str:
    words = words.strip()
    return words if not words else words[0].upper() + words[1:] + ("" if words[-1] in ".?!" else ".")
