"""Tasks as CSV: nothing that a spreadsheet would run, and nothing lost on the way back."""

from __future__ import annotations

import csv
import io

import pytest

from gocron.core import task_csv
from gocron.core.task_files import Form, form_of, read


def found_in(text: str):
    return read(text.encode(), Form.CSV)


def cells_of(line: str) -> list[str]:
    (cells,) = csv.reader(io.StringIO(line, newline=""))
    return cells


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1", "''"]
)
def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless_and_comes_back(cell):
    (written,) = cells_of(task_csv.line([cell]))
    assert written == f"'{cell}"
    text = task_csv.line(["name", "spec", "command"]) + task_csv.line(["a", "@daily", cell])
    (definition,) = found_in(text).definitions
    assert (definition.spec, definition.command) == ("@daily", cell)


def test_other_cells_stay_as_they_are():
    cells = ["plain", "a=b", "", "'quoted'", 'say "hi"', "a,b", "two\nlines", "a\r\nb"]
    assert cells_of(task_csv.line(cells)) == [*cells[:3], "'quoted'", *cells[4:]]


def test_a_quotation_mark_that_somebody_has_typed_stays():
    (definition,) = found_in("name,spec,command\na,@daily,'x'\n").definitions
    assert definition.command == "'x'"


def test_lists_and_mappings_are_json_or_words():
    (definition,) = found_in(
        'name;spec;command;environment;retry_on\n"a";@daily;true;"{""A"": ""1""}";failed,lost\n'
    ).definitions
    assert definition.environment == {"A": "1"}
    assert definition.retry_on == ["failed", "lost"]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("name,spec,command\na,@daily,true,more\n", 2, "4 cells"),
        ("name,,command\n", 1, "without a name"),
        ("name,name\n", 1, "twice"),
        ("name,spec,command\na,@daily,true\n\nb,61 * * * * *,true\n", 4, "spec: "),
        ("name,spec,command,environment\na,@daily,true,{nonsense\n", 2, "environment: not JSON"),
        ('name,spec,command\na,@daily,"tr"ue\n', 2, "not CSV"),
        ('name,spec,command\na,@daily,"two\nlines"\nb,@daily,\n', 4, "command"),
        ("name,color\na,red\n", 2, "color"),
    ],
)
def test_mistakes_are_told_with_their_line(text, line, said):
    mistakes = found_in(text).mistakes
    assert mistakes[0][0] == line
    assert any(said in message for _line, message in mistakes)


def test_what_is_right_is_found_beside_what_is_wrong():
    found = found_in("name,spec,command\na,@daily,true\nb,nonsense,true\nc,@daily,true\n")
    assert [definition.name for definition in found.definitions] == ["a", "c"]
    assert found.lines == (2, 4)
    assert [line for line, _message in found.mistakes] == [3]


@pytest.mark.parametrize(
    ("name", "data", "form"),
    [
        ("a.csv", b"", Form.CSV),
        ("a", b"name,spec\n", Form.CSV),
        ("a", b'\xef\xbb\xbf"name";"spec"\n', Form.CSV),
        ("a", b"tasks:\n", Form.YAML),
        ("a", b'{"name": 1}', Form.JSONL),
    ],
)
def test_the_form_is_recognised(name, data, form):
    assert form_of(name, data) is form
