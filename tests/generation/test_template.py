"""Templates of models are programs of strangers: they arrange messages that they never see, and nothing else."""

import signal
import time

import pytest

from generation.template import BadTemplateError, Template, last_message, plain
from generation.writing import Request, Turn
from tests import tiny_gguf

SYSTEM, USER, SAID, AGAIN = Turn("system", "s"), Turn("user", "u"), Turn("assistant", "a"), Turn("user", "v")
DIALOGUE = (SYSTEM, USER, SAID, AGAIN)

LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim"
    " + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% set role = 'model' if message['role'] == 'assistant'"
    " else message['role'] %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
THINKING = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]<think>\n"


def test_what_stands_around_the_messages_is_the_templates():
    assert Template(tiny_gguf.TEMPLATE).around(DIALOGUE) == [
        "<|im_start|>system\n",
        "<|im_end|>\n<|im_start|>user\n",
        "<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|>\n<|im_start|>user\n",
        "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
    ]
    around = Template(LLAMA3, bos="<s>").around((SYSTEM, USER))
    assert around[0] == "<s><|start_header_id|>system<|end_header_id|>\n\n"
    assert around[2].endswith("assistant<|end_header_id|>\n\n")


def test_a_template_without_a_system_message_gets_it_with_the_first_question():
    assert Template(GEMMA, bos="<bos>").around(DIALOGUE) == [
        "<bos><start_of_turn>user\n",
        "\n\n",
        "<end_of_turn>\n<start_of_turn>model\n",
        "<end_of_turn>\n<start_of_turn>user\n",
        "<end_of_turn>\n<start_of_turn>model\n",
    ]


def test_thinking_that_a_template_begins_is_ended():
    assert Template(THINKING).around((USER,)) == ["[user]", "[assistant]<think>\n\n</think>\n\n"]


def test_what_models_templates_expect_is_there():
    source = (
        "{{ strftime_now('%Y') }}{{ {'a': 'é'} | tojson }}{% for m in messages %}{{ m.content }}{% break %}{% endfor %}"
        "{{ messages | length }}{{ tools is none }}{% if not enable_thinking %}still{% endif %}"
    )
    assert Template(source).around((USER,)) == [time.strftime("%Y") + '{"a": "é"}', "1Truestill"]


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ raise_exception.__globals__ }}",
        "{{ self.__init__ }}{{ self._TemplateReference__context }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ messages.append(1) }}",
        "{{ 'a' * 10 ** 10 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ 10 ** 9 % 7 ** 99 }}",
        "{{ [0] * 99999999999 }}",
        "{{ '%099999999999d' % 1 }}",
        "{{ '%*d' % (99999999999, 1) }}",
        "{% for i in range(100000) %}{{ messages }}{% endfor %}",
        "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}",
        "{% for m in messages | reverse %}{{ m.content }}{% endfor %}",
        "{{ messages[0].content | upper }}",
        "nothing of it",
        "{% if %}",
        "{{ raise_exception('no') }}",
        "{{ 1 / 0 }}",
        "{{ messages[99].content.x.y }}",
        "x" * 300_000,
    ],
)
def test_a_template_that_does_anything_else_is_not_used(source):
    with pytest.raises(BadTemplateError, match="chat template"):
        Template(source).around((USER, SAID))


def test_a_template_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr("generation.template._SECONDS", 0.3)
    before = signal.getsignal(signal.SIGALRM)
    began = time.monotonic()
    with pytest.raises(BadTemplateError, match="took longer"):
        Template("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}").around((USER,))
    assert time.monotonic() - began < 1
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_the_plain_form_names_who_speaks():
    assert plain((USER, SAID, AGAIN)) == ["Question:\n", "\n\nAnswer:\n", "\n\nQuestion:\n", "\n\nAnswer:\n"]


def test_the_last_message_has_the_blocks_that_are_kept():
    request = Request((), "before\n", ("[1] one\n", "[2] two\n"), (1, 2), (), "\nafter\n")
    assert last_message(request, 2) == "before\n[1] one\n[2] two\n\nafter"
    assert last_message(request, 0) == "before\n\nafter"
