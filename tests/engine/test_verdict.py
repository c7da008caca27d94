"""The rows of `strongroom verify` themselves."""

import dataclasses

from engine import looking, verdict
from engine.verdict import MACHINE, SENT, Row, counts, from_json, on_system, ordered

HELD = Row("a", SENT, "It is so", "held", "tried", "it is", linux_only=True)


def test_what_is_claimed_for_linux_alone_is_marked_elsewhere_whatever_came_out():
    broken = dataclasses.replace(HELD, result="not held", found="a way out")
    anywhere = dataclasses.replace(HELD, linux_only=False)
    assert on_system([HELD, broken], "linux") == [HELD, broken]
    marked = on_system([HELD, broken, anywhere], "darwin")
    assert [each.result for each in marked] == ["yours", "yours", "held"]
    assert [each.found for each in marked[:2]] == ["not claimed on macOS: it is", "not claimed on macOS: a way out"]


def test_each_claim_about_a_process_is_one_for_linux_alone():
    rows = [looking.process(name, {"refused": ["socket"]}, running=True) for name in looking.NAMES]
    rows.append(looking.from_outside({"engine": 1}))
    assert all(each.linux_only for each in rows)


def test_rows_go_by_group_and_keep_their_order_in_it():
    last, first, second = (Row(name, group, "", "held", "") for name, group in (("m", MACHINE), ("1", SENT), ("2", SENT)))
    assert ordered([last, first, second]) == [first, second, last]


def test_rows_that_another_version_kept_in_another_form_are_left_out():
    kept = HELD.to_json()
    assert from_json([kept, {**kept, "more": 1}, {"id": "x"}, "text", {**kept, "group": "of old"}]) == [HELD]


def test_a_process_that_was_refused_nothing_or_failed_is_not_held():
    for report in ({}, {"refused": []}, {"refused": ["socket"], "failed": "a socket could be made"}, {"error": "none"}):
        assert looking.process("engine", report, running=False).result == "not held"
    assert looking.process("engine", {"refused": ["socket"]}, running=False).result == "held"


def test_the_systems_own_word_is_asked_for_each_thread(tmp_path):
    for number, filters in ((1, 2), (2, 0)):
        (tmp_path / "9" / "task" / str(number)).mkdir(parents=True)
        (tmp_path / "9" / "task" / str(number) / "status").write_text(f"NoNewPrivs:\t1\nSeccomp:\t{filters}\n")
    assert looking.from_outside({"engine": 9}, tmp_path).result == "not held"
    (tmp_path / "9" / "task" / "2" / "status").write_text("NoNewPrivs:\t1\nSeccomp:\t2\n")
    assert looking.from_outside({"engine": 9}, tmp_path).result == "held"
    assert looking.from_outside({"engine": 9, "page": 10}, tmp_path).result == "not held"  # it is not there


def test_results_are_counted():
    assert counts([HELD, HELD]) == {"held": 2, "not held": 0, "unknown": 0, "yours": 0}
    assert verdict.judged(None) == "unknown"
