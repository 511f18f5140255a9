from __future__ import annotations

from typing import Any

from edge_sdk.errors import ModelError
from edge_sdk.sensors.asker import Asker, Opener
from edge_sdk.sensors.record import Record
from edge_sdk.sensors.rule import Ask, Rule


def asks(name: str) -> Rule:
    return Rule(name, None, 1.0, (), None, Ask("How many?", (), False, None), "")


def no_model() -> Any:
    raise ModelError("The model is damaged.", fix="Copy it again.")


def test_a_rule_that_found_no_room_to_wait_is_asked_again_once_there_is() -> None:
    told: list[Record] = []
    asker = Asker(Opener(no_model, None, str, list), told.append, lambda: 0.0)
    rules = [asks(f"look-{number}") for number in range(6)]
    for rule in rules:
        asker.put(rule)
    assert [record.name for record in told] == ["look-4", "look-5"]
    assert "other questions wait" in told[0].text
    while asker.answer_next(timeout_s=0):
        pass
    told.clear()
    asker.put(rules[5])
    assert asker.answer_next(timeout_s=0)
    assert [record.text for record in told] == ["look-5: not answered: The model is damaged."]
