from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from rosearch.space.keys import ENCODER_VALUES
from rosearch.space.rules import MEANINGS, OPERATIONS, SOURCE_SETTINGS, SettingRule

RULES = {
    **{f"{op}.{name}": rule for op, rules in OPERATIONS.items() for name, rule in rules.items()},
    **{f"source.{name}": rule for name, rule in SOURCE_SETTINGS.items()},
    **{f"encoder.{name}": rule for name, rule in ENCODER_VALUES.items()},
}
TRIED: tuple[object, ...] = (
    -1, 0, 1, 2, 3, 4, 8, 12, 31, 32, 33, 64, 768, 0.05, 0.125, 0.5, 1.5, 8.5, True, False, None, [], "",
    "gelu", "relu2", "tanh", "wordpiece", "task_typos", "typos+synonyms", "none", "cnn", "mean",
)  # fmt: skip


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_schema_takes_what_the_rule_takes(rule: SettingRule) -> None:
    validator = Draft202012Validator(dict(rule.schema))
    assert any(rule.accepts(value) for value in TRIED)
    # 1 is True for `in`; both read a YAML file's true as no number
    assert [value for value in TRIED if validator.is_valid(value) != rule.accepts(value)] == []


def test_every_operation_and_setting_has_its_meaning_and_no_other_has() -> None:
    settings = {name for name in RULES if not name.startswith("encoder.")}
    assert set(MEANINGS) == {*OPERATIONS, *settings}
