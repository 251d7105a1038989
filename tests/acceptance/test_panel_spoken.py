"""What the core and the database layer say, in the language of the page."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from gocron.core.states import RunState
from gocron.db.models import Task
from tests.helpers.panel import BASIC_TASK, FORM_DEFAULTS, Visitor, words_of
from tests.helpers.rows import insert_run

FULL = "the group 'db' is at its limit of 3"


@pytest.fixture
def visitor(quick_panel):
    return quick_panel.administrator()


@pytest.fixture
def chinese(visitor):
    visitor.post("/language", {"language": "zh-CN"})
    return visitor


def mistakes(visitor: Visitor, **fields: object) -> dict[str, list[str]]:
    answer = visitor.post("/tasks/check/", FORM_DEFAULTS | BASIC_TASK | fields)
    return answer.json["mistakes"]  # type: ignore[index, no-any-return]


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        (
            "name",
            "n" * 129,
            "必须为：文本，1 到 128 个字符；收到：'nnnnnnnnnnnnnnnnnnnn'…（129 个字符）",
        ),
        (
            "spec",
            "0 61 * * * *",
            "分：'61' 超出范围 0-59；允许：0-59、*、H、列表、范围、步长（例如 '0,30'）",
        ),
        ("spec", "* *", "'* *' 有 2 个字段；调度计划有 5 个字段"),
        (
            "timezone",
            "Europe/Berlim",
            "不认识 'Europe/Berlim'；请使用 IANA 名称，您是否想写 Europe/Berlin",
        ),
        ("environment", "no equals sign", "第 1 行：'no equals sign' 不是 name=value 的形式"),
        ("parameters", "1: text", "第 1 行："),
        ("group", "nowhere", "没有并发组 'nowhere'；请用 `gocron group` 创建"),
        ("depends_on", "a: weak\na", "第 2 行：'a' 出现了两次"),
        ("retry_times", "11", "必须为：整数，从 0 起，到 10 为止；收到：11"),
    ],
)
def test_a_mistake_stands_next_to_its_field_in_chinese(chinese, field, typed, said):
    found = mistakes(chinese, **{field: typed})
    assert found[field][0].startswith(said)


def test_a_form_that_is_sent_shows_its_mistakes_in_chinese(chinese):
    page = chinese.save_task(spec="0 61 * * * *").text
    assert "分：&#39;61&#39; 超出范围 0-59" in page
    assert "out of the range" not in page


def test_mistakes_are_as_they_were_in_english(visitor):
    assert mistakes(visitor, spec="0 61 * * * *")["spec"] == [
        "Minute: '61' is out of the range 0-59; allowed: 0-59, *, H, lists, ranges, steps "
        "(for example '0,30')"
    ]
    assert mistakes(visitor, retry_times="11")["retry_times"] == [
        "Must be a whole number from 0 to 10, found 11"
    ]


def test_what_is_refused_is_said_in_chinese(quick_panel, chinese):
    parent_id = quick_panel.create_task(name="parent", spec="@daily")
    child = FORM_DEFAULTS | BASIC_TASK | {"name": "child", "spec": "", "depends_on": "parent"}
    assert chinese.post("/tasks/new/", child).status_code == 302
    parent = chinese.client.post(
        "/tasks/delete/",
        data={"csrf_token": chinese.token(), "id": parent_id},
        follow_redirects=True,
    )
    assert "依赖它" in words_of(parent.text)


def test_a_schedule_is_said_in_chinese_in_the_list_and_on_its_page(quick_panel, chinese):
    task_id = quick_panel.create_task(spec="*/15 9-17 * * 1-5", timezone="Europe/Berlin")
    said = "每周一至周五 09:00 至 17:45 每 15 分钟（Europe/Berlin 时间）"
    assert said in chinese.get("/tasks/").text
    assert said in chinese.get(f"/tasks/details/?id={task_id}").text
    chinese.post("/language", {"language": "en"})
    for path in ("/tasks/", f"/tasks/details/?id={task_id}"):
        assert "Monday to Friday, Europe/Berlin time" in chinese.get(path).text


def test_the_preview_speaks_chinese(chinese):
    query = "/tasks/preview/?spec={}&timezone={}&starts_at={}"
    answer = chinese.get(query.format("30+2+*+*+*", "Europe/Berlin", "2027-03-28T00:00")).json
    assert answer["words"] == "每天 02:30（Europe/Berlin 时间）"
    assert answer["slots"][0]["remark"] == "时钟拨快：02:30 不存在，改在 03:00 运行"
    answer = chinese.get(query.format("30+2+*+*+*", "Nowhere/Xyzzy", "")).json
    assert answer["problem"].startswith("时区：不认识 'Nowhere/Xyzzy'")


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        (RunState.QUEUED, FULL, "并发组 'db' 已达到上限 3"),
        (RunState.FAILED, "exit code 3", "退出码 3"),
        (RunState.CANCELLED, "stopped by ada before it began", "在开始之前由 ada 停止"),
        (RunState.MISSED, "2 slots missed: nobody scheduled in time (misfire: skip)",
         "错过 2 个计划时刻：未能及时调度（错过策略：跳过）"),
        (RunState.SKIPPED, "'a', which it depends on, ended failed",
         "它所依赖的 'a' 的结果为：失败"),
        (RunState.LOST, "what only a newer version says", "what only a newer version says"),
    ],
)  # fmt: skip
def test_a_stored_reason_is_said_in_chinese(quick_panel, chinese, state, reason, said):
    task_id = quick_panel.create_task()
    run_id = insert_run(quick_panel.database, task_id=task_id, state=state, reason=reason)
    for path in (f"/runs/{run_id}/", "/runs/"):
        assert said in words_of(chinese.get(path).text).replace("&#39;", "'")
    chinese.post("/language", {"language": "en"})
    assert reason in words_of(chinese.get(f"/runs/{run_id}/").text).replace("&#39;", "'")


def test_why_a_task_is_broken_is_said_in_chinese(quick_panel, chinese):
    task_id = quick_panel.create_task()
    broken = "the calendar 'holidays' does not exist (any more)"
    with quick_panel.database.write() as connection:
        connection.execute(update(Task).where(Task.id == task_id).values(broken=broken))
    for path in ("/tasks/", f"/tasks/details/?id={task_id}"):
        assert "日历 &#39;holidays&#39; 不存在（或已删除）" in chinese.get(path).text
