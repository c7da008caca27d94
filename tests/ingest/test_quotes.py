"""What a message quotes and what its sender says."""

import pytest

from ingest import mail_document, quotes


def kinds(text: str, subject: str = "Re: x", *, answers: bool = False) -> list[tuple[str, str]]:
    body = mail_document.plain(text)
    marked = quotes.mark(body.text, body.blocks, (), subject, answers=answers)
    return [(each.kind, body.text[each.start : each.end]) for each in marked]


def own(text: str, subject: str = "Re: x", *, answers: bool = False) -> str:
    return "\n".join(
        words for kind, words in kinds(text, subject, answers=answers) if kind not in ("quote", "signature")
    )


ATTRIBUTIONS = [
    "On Mon, 4 May 2020 at 10:11, Ann Lee <ann@example.org> wrote:",
    "On Mon, 4 May 2020 at 10:11, Ann Lee with a very long name\n<ann@example.org> wrote:",
    "Am 04.05.2020 um 10:11 schrieb Ann Lee:",
    "Am Mo., 4. Mai 2020 um 10:11 Uhr schrieb Ann Lee <\nann@example.org>:",
    "Le lun. 4 mai 2020 à 10:11, Ann Lee <ann@example.org> a écrit :",
    "El lun., 4 may. 2020 a las 10:11, Ann Lee (<ann@example.org>) escribió:",
    "Il giorno lun 4 mag 2020 alle ore 10:11 Ann Lee <ann@example.org> ha scritto:",
    "Op ma 4 mei 2020 om 10:11 schreef Ann Lee <ann@example.org>:",
    "Em seg., 4 de mai. de 2020 às 10:11, Ann Lee <ann@example.org> escreveu:",
    "Den mån 4 maj 2020 kl 10:11 skrev Ann Lee <ann@example.org>:",
    "pon., 4 maj 2020 o 10:11 Ann Lee <ann@example.org> napisał(a):",
    "пн, 4 мая 2020 г. в 10:11, Ann Lee <ann@example.org>:",
    "2020年5月4日(月) 10:11 Ann Lee <ann@example.org>:",
    "Ann Lee <ann@example.org> 于2020年5月4日周一 10:11写道：",
    "On 04/05/2020 10:11, Ann Lee wrote:",
]


@pytest.mark.parametrize("line", ATTRIBUTIONS)
def test_an_attribution_and_the_marked_lines_below_are_the_quote(line: str) -> None:
    assert own(f"Yes, on Friday.\n\n{line}\n\n> Can you\n>\n> come?\n\nRegards") == "Yes, on Friday.\nRegards"


@pytest.mark.parametrize("line", [each for each in ATTRIBUTIONS if "2020年5月4日(" not in each and "пн" not in each])
def test_below_the_senders_words_an_attribution_quotes_to_the_end(line: str) -> None:
    assert own(f"Yes, on Friday.\n\n{line}\n\nCan you come?\n\nAnn") == "Yes, on Friday."


HEADERS = [
    "From: Ann Lee [mailto:ann@example.org]\nSent: Monday, 4 May 2020 10:11\nTo: Bob\nSubject: x",
    "Von: Ann Lee\nGesendet: Montag, 4. Mai 2020 10:11\nAn: Bob\nBetreff: x",
    "De : Ann Lee\nEnvoyé : lundi 4 mai 2020 10:11\nÀ : Bob\nObjet : x",
    "De: Ann Lee\nEnviado el: lunes, 4 de mayo de 2020 10:11\nPara: Bob\nAsunto: x",
    "Da: Ann Lee\nInviato: lunedì 4 maggio 2020 10:11\nA: Bob\nOggetto: x",
    "Van: Ann Lee\nVerzonden: maandag 4 mei 2020 10:11\nAan: Bob\nOnderwerp: x",
    "*From:* Ann Lee\n*Sent:* Monday\n*To:* Bob\n*Subject:* x",
    "发件人: Ann\n发送时间: 2020年5月4日 10:11\n收件人: Bob\n主题: x",
]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("above", ["", "________________________________\n", "-----Original Message-----\n"])
def test_the_header_that_outlook_writes_quotes_to_the_end(header: str, above: str) -> None:
    assert own(f"Agreed.\n\n{above}{header}\n\nThe price is 80.\n") == "Agreed."


@pytest.mark.parametrize(
    "line",
    ["-----Original Message-----", "-----Ursprüngliche Nachricht-----", "-----Message d'origine-----",
     "-----Mensaje original-----",
     "----- Messaggio originale -----", "-----Oorspronkelijk bericht-----", "----- Mensagem original -----"],
)  # fmt: skip
def test_an_original_message_between_dashes_is_quoted_to_the_end(line: str) -> None:
    assert own(f"Agreed.\n\n{line}\nThe price is 80.\n") == "Agreed."


def test_the_header_that_lotus_notes_writes_quotes_to_the_end() -> None:
    head = "\tAnn Lee@ENRON\n\t05/04/2000 10:11 AM\n\t\t\n To: Bob@ENRON\n cc: \n Subject: x"
    text = f"Fine with me.\n\n\n\n{head}\n\nThe price is 80.\n"
    assert own(text) == "Fine with me."


FORWARDS = [
    "---------- Forwarded message ---------\nFrom: Ann <a@x.org>\nDate: 4 May\nSubject: x\nTo: Bob\n\nThe price is 80.",
    "-----Original Message-----\nFrom: Ann\nSent: Monday\nTo: Bob\nSubject: x\n\nThe price is 80.",
    "On 4 May 2020 at 10:11 Ann wrote:\n\n> The price is 80.",
    "Begin forwarded message:\n\n> From: Ann\n> The price is 80.",
    "---------------------- Forwarded by Ann/Corp on 05/04/2000 \n10:11 AM ---------\n\nThe price is 80.",
]


@pytest.mark.parametrize("text", FORWARDS)
@pytest.mark.parametrize("subject", ["Fwd: x", "FW: Re: x", "WG: x", "TR : x"])
def test_what_is_forwarded_is_content(text: str, subject: str) -> None:
    assert "The price is 80." in own(f"See below.\n\n{text}\n", subject, answers=True)


@pytest.mark.parametrize("text", [FORWARDS[0], FORWARDS[3], FORWARDS[4]])
def test_what_says_that_it_is_forwarded_is_content_in_an_answer_too(text: str) -> None:
    assert "The price is 80." in own(f"See below.\n\n{text}\n", "Re: x", answers=True)


def test_a_message_without_words_of_its_own_stays_content() -> None:
    assert "The price is 80." in own("> The price is 80.\n\n:-)\n")
    assert "The price is 80." in own("> The price is 80.\n> And the rent 90.\n")
    assert "The price is 80." in own(
        "\n-----Original Message-----\nFrom: Ann\nTo: Bob\nSubject: x\n\nThe price is 80.\n"
    )


def test_a_message_that_answers_nothing_quotes_nothing() -> None:
    prompt = "To start it, type\n\n> make demo\n> make test\n\nand wait."
    assert own(prompt, "How to start") == prompt.replace("\n\n", "\n")
    letter = (
        "We agreed:\n\n-----Original Message-----\nFrom: Ann\nSent: Monday\nTo: Bob\nSubject: x\n\nThe price is 80."
    )
    assert "The price is 80." in own(letter, "Our agreement")


def test_answers_between_the_quoted_lines_are_the_senders() -> None:
    wrapped = "> On Friday or on Saturday, at the same place as the last time that we met in\ntown?\n"
    text = f"> Can you come?\nYes.\n{wrapped}> Say.\nOn Friday."
    assert [kind for kind, _ in kinds(text)] == ["quote", "paragraph", "quote", "paragraph"]
    assert own(text) == "Yes.\nOn Friday."


@pytest.mark.parametrize(
    "signature",
    ["-- \nAnn Lee\nExample Ltd", "--\nAnn Lee\n+49 30 123", "Sent from my iPhone", "Von meinem iPhone gesendet",
     "_______________________________________________\nA mailing list\nhttps://lists.example.org/a"],
)  # fmt: skip
def test_a_signature_is_marked_and_a_quote_below_it_too(signature: str) -> None:
    text = f"Yes.\n\n{signature}\n\nOn 4 May 2020 at 10:11 Ann wrote:\n> Can you?\n"
    assert [kind for kind, _ in kinds(text)] == ["paragraph", "signature", "quote"]


def test_a_rule_above_a_long_text_is_no_signature() -> None:
    text = "Minutes\n\n--\n" + "\n".join(f"Point {each}: decided." for each in range(30))
    assert "Point 29" in own(text, "Minutes")


def test_quotes_in_html_are_marked_and_forwards_are_not() -> None:
    gmail = (
        '<div>Yes, on Friday.</div><br><div class="gmail_quote"><div class="gmail_attr">On Mon Ann wrote:<br></div>'
        '<blockquote class="gmail_quote"><h2>Invitation</h2>Can you come?</blockquote></div>'
    )
    outlook = (
        '<p>Yes, on Friday.</p><div id="divRplyFwdMsg"><b>From:</b> Ann<br><b>Sent:</b> Monday<br><b>To:</b> Bob<br>'
        "<b>Subject:</b> x</div><p>Can you come?</p>"
    )
    apple = (
        "<div>Yes, on Friday.</div><blockquote type='cite'><div>On 4 May 2020, Ann wrote:</div>"
        "<div>Can you come?</div></blockquote>"
    )
    for markup in (gmail, outlook, apple):
        body = mail_document.web(markup)
        for subject, expected in (("Re: x", False), ("Fwd: x", True)):
            marked = quotes.mark(body.text, body.blocks, body.marks, subject, answers=False)
            shown = "".join(body.text[each.start : each.end] for each in marked if each.kind != "quote")
            assert "Yes, on Friday." in shown
            assert ("Can you come?" in shown) is expected, (markup, subject)


def test_a_quotation_in_a_newsletter_is_content() -> None:
    body = mail_document.web("<p>Ann says:</p><blockquote>The price is 80.</blockquote><p>Indeed.</p>")
    marked = quotes.mark(body.text, body.blocks, body.marks, "News", answers=False)
    assert {each.kind for each in marked} == {"paragraph"}


def test_real_replies_lose_their_quotes_only(shared_data) -> None:
    import io

    from ingest import mail
    from ingest.registry import Context

    folder = shared_data / "emails/fixtures/talon/tests/fixtures"
    for path in sorted(folder.rglob("*.eml")):
        (document, *_) = mail.parse(io.BytesIO(path.read_bytes()), path.name, Context(path.name))
        words = [
            document.text[each.start : each.end]
            for each in document.blocks
            if each.kind not in ("fields", "quote", "signature")
        ]
        expected = ["Hello"] if path.parent.name == "standard_replies" else words[:1]
        assert [each.strip() for each in words][: len(expected)] == expected, path
        if path.parent.name == "standard_replies":
            assert len(words) == 1, path
