"""The tables of the documentation and the example of app.ini, held against the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from gocron.allowed import allowed
from gocron.config import FIELDS, KEYS, load
from gocron.config_keys import SECRETS
from gocron.config_sources import UNUSED_KEYS
from gocron.core.chain import MOST_RERUNS
from gocron.core.definition import NOT_YET, TaskDefinition
from gocron.core.parameters import MOST_CHARACTERS, Parameter
from gocron.core.starting import MOST_WAITING
from gocron.core.states import Misfire, Overlap, RunState
from tests.helpers.cluster import ROOT

CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
TASKS = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "conf" / "app.ini.example").read_text(encoding="utf-8")

DEPENDS = {"node_name", "db.port", "db.database"}
"""Settings whose default depends on the host or on the engine: described in words."""


def _rows(page: str, columns: int) -> dict[str, list[str]]:
    """Rows of all tables with that many columns, by the word in their first one."""
    rows = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") and len(cells) == columns:
            rows[cells[0].strip("`")] = cells
    return rows


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value or (0 if value == 0 else ""))


def test_every_setting_is_documented_and_no_other():
    assert set(_rows(CONFIGURATION, 5)) == {key for key, _variable in KEYS.values()}


@pytest.mark.parametrize("name", KEYS)
def test_a_setting_is_documented_as_it_is(name):
    key, variable = KEYS[name]
    _key, documented, default, rule, meaning = _rows(CONFIGURATION, 5)[key]
    assert documented == f"`{variable}`"
    assert rule == allowed(FIELDS[name])
    assert meaning.endswith(".")
    if name not in DEPENDS:
        assert default == (_default(FIELDS[name]) or "–")


def test_keys_of_gocron_without_effect_are_documented():
    assert all(f"`{key}`" in CONFIGURATION for key in UNUSED_KEYS)


def test_the_example_shows_every_setting_once_with_its_default():
    shown = re.findall(r"^#(\S+) =(?: (.*))?$", EXAMPLE, re.MULTILINE)
    assert len(shown) == len(KEYS)
    texts = dict(shown)
    for name, (key, _variable) in KEYS.items():
        assert texts[key] == ("" if name in DEPENDS else _default(FIELDS[name])), key


def test_the_example_changes_nothing_as_it_is_and_with_all_lines_taken_in(tmp_path: Path):
    plain = load({"GOCRON_HOME": str(tmp_path)})
    file = tmp_path / "conf" / "app.ini"
    file.parent.mkdir()
    secret = "|".join(re.escape(KEYS[name][0]) for name in SECRETS)
    for text in (EXAMPLE, re.sub(rf"^#(?!({secret}) )(?=\S+ =)", "", EXAMPLE, flags=re.MULTILINE)):
        file.write_text(text, encoding="utf-8")
        assert load({"GOCRON_HOME": str(tmp_path)}) == plain
    assert "\ndb.engine = sqlite\n" in text


def test_every_field_of_a_task_is_documented_as_it_is():
    rows = _rows(TASKS, 4)
    assert set(rows) == set(TaskDefinition.model_fields)
    for name, field in TaskDefinition.model_fields.items():
        _name, rule, default, meaning = rows[name]
        assert rule == allowed(field)
        assert meaning.endswith(".")
        if field.is_required():
            assert default == "–"
        else:
            assert default == (_default(field) or "empty"), name


def test_fields_of_gocron_that_are_not_there_yet_are_documented():
    for field in NOT_YET:
        assert f"`{field}`" in TASKS or ("`notify_…`" in TASKS and field.startswith("notify_"))


def test_every_state_is_documented_with_gocrons_number():
    rows = _rows(TASKS, 3)
    for state in RunState:
        assert rows[state][1] == str(state.gocron_status)


def test_the_examples_of_files_can_be_imported():
    from gocron.core.task_files import Form, parse

    for form, language in ((Form.YAML, "yaml"), (Form.JSONL, "json")):
        examples = re.findall(rf"```{language}\n(.*?)```", TASKS, re.DOTALL)
        assert examples
        for example in examples:
            assert len(parse(example.encode(), "docs/tasks.md", form).definitions) >= 2


@pytest.mark.parametrize("policy", [Overlap, Misfire])
def test_every_policy_is_explained_in_a_table_of_its_own(policy):
    header = f"| `{policy.__name__.lower()}` | what"
    table = TASKS[TASKS.index(header) :].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)[1:] == [*policy]


def test_limits_that_are_told_are_those_of_the_code():
    assert f"at most {MOST_RERUNS} times for a slot" in TASKS
    assert f"never more than {MOST_WAITING}" in TASKS
    assert f"A value has at most {MOST_CHARACTERS:,} characters" in TASKS


def test_every_key_of_a_parameter_is_documented():
    section = TASKS.partition("## Parameters")[2].partition("\n## ")[0]
    assert set(_rows(section, 2)) == set(Parameter.model_fields)


def test_sections_that_are_pointed_to_exist():
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.*)$", TASKS, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", TASKS)) <= anchors
