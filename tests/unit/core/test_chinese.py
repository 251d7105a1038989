"""Schedules said in Chinese, of what they resolve to."""

from __future__ import annotations

import random
import re

import pytest

from gocron.core.words import explain
from tests.unit.core.timetable_oracle import random_spec

LATIN = re.compile(r"[A-Za-z]")
NO_BLANK = re.compile(r"[\u4e00-\u9fff][0-9A-Za-z]|[0-9A-Za-z][\u4e00-\u9fff]")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        # times
        ("30 2 * * *", "每天 02:30"),
        ("15 30 2 * * *", "每天 02:30:15"),
        ("0 9,12,15 * * *", "每天 09:00、12:00、15:00"),
        ("*/15 * * * *", "每 15 分钟"),
        ("7,22,37,52 * * * *", "从第 7 分起每 15 分钟"),
        ("5,6,7,30 * * * *", "每小时第 5 至 7、30 分"),
        ("* * * * *", "每分钟"),
        ("* 2 * * *", "每天 02 时内每分钟"),
        ("*/10 9-17 * * *", "每天 09:00 至 17:50 每 10 分钟"),
        ("*/5 8,10 * * *", "每天 08、10 时内每 5 分钟"),
        ("5,6,30 8-17 * * *", "每天 08:05 至 17:30 每小时第 5、6、30 分"),
        ("0 * * * *", "每小时"),
        ("5 * * * *", "每小时第 5 分"),
        ("0 */2 * * *", "每 2 小时"),
        ("30 1-23/2 * * *", "从 01:30 起每 2 小时"),
        ("15 8-17 * * *", "每天 08:15 至 17:15 每小时"),
        ("0 0-6,22 * * *", "每天 00、01、02、03、04、05、06、22 时第 0 分"),
        ("* * * * * *", "每秒"),
        ("*/20 * * * * *", "每 20 秒"),
        ("5-59/20 * * * * *", "从第 5 秒起每 20 秒"),
        ("30 * * * * *", "每分钟第 30 秒"),
        ("30 * 8,10 * * *", "每天 08、10 时内每分钟第 30 秒"),
        ("*/20 0,30 * * * *", "每小时第 0、30 分内每 20 秒"),
        ("5 0,30 * * * *", "每小时第 0、30 分第 5 秒"),
        ("*/20 0,30 8,10 * * *", "每天 08、10 时第 0、30 分内每 20 秒"),
        ("*/20 * 8-17 * * *", "每天 08:00 至 17:59 每 20 秒"),
        # days
        ("*/15 9-17 * * 1-5", "每周一至周五 09:00 至 17:45 每 15 分钟"),
        ("*/15 * * * 1-5", "每周一至周五，每 15 分钟"),
        ("30 2 * * 1-5", "每周一至周五 02:30"),
        ("0 0 * * SUN", "每周日 00:00"),
        ("0 0 * * SAT,SUN", "每周六、周日 00:00"),
        ("0 0 * * 5#3", "每月第三个周五 00:00"),
        ("0 0 * * L5", "每月最后一个周五 00:00"),
        ("0 0 * * 1,5#3", "每周一、每月第三个周五 00:00"),
        ("0 0 ? 2 1#1", "每年 2 月第一个周一 00:00"),
        ("0 0 ? 1,7 5#3", "每年 1 月、7 月的第三个周五 00:00"),
        ("0 12 * 6 MON", "每年 6 月每周一 12:00"),
        ("0 0 1,15 * *", "每月 1 日、15 日 00:00"),
        ("0 0 10-20 * *", "每月 10 日至 20 日 00:00"),
        ("0 0 */2 * *", "每月 1 日至 31 日每 2 天 00:00"),
        ("0 0 L * *", "每月最后一天 00:00"),
        ("0 0 1,L 2 *", "每年 2 月 1 日、最后一天 00:00"),
        ("0 0 15W * *", "每月最接近 15 日的工作日 00:00"),
        ("0 0 LW * *", "每月最后一个工作日 00:00"),
        ("0 0 L-1 * *", "每月倒数第 2 天 00:00"),
        ("0 0 L-3W * *", "每月最接近倒数第 4 天的工作日 00:00"),
        ("0 0 1 1 *", "每年 1 月 1 日 00:00"),
        ("0 0 13 1,7 *", "每年 1 月、7 月的 13 日 00:00"),
        ("0 0 * 1-3 *", "每年 1 月至 3 月每天 00:00"),
        ("0 * 1 * *", "每月 1 日，每小时"),
        # day or weekday, unless one begins with *
        ("0 0 13 * 5", "每月 13 日或每周五 00:00"),
        ("0 0 13 6 5", "每年 6 月的 13 日或周五 00:00"),
        ("0 0 1-31 * 1", "每天 00:00"),
        ("0 0 */9 * 1", "每月 1 日至 28 日每 9 天（仅限周一）00:00"),
        ("0 0 1,2,L * */6", "每月 1 日、2 日、最后一天（仅限周六、周日）00:00"),
    ],
)
def test_a_cron_spec_in_chinese(spec, words):
    assert explain(spec, "Europe/Berlin", language="zh-CN") == f"{words}（Europe/Berlin 时间）"
    assert explain(spec, "UTC", language="zh-CN") == f"{words}（UTC）"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("@every 1d", "每天"),
        ("@every 10s", "每 10 秒"),
        ("@every 90m", "每 1 小时 30 分钟"),
        ("@every 1d12h30m10s", "每 1 天 12 小时 30 分钟 10 秒"),
        ("@reboot", "每次选出主节点时运行一次"),
        ("@at 2026-12-24T18:00", "仅一次，2026 年 12 月 24 日 18:00（Europe/Berlin 时间）"),
        ("@at 2026-12-24T18:00:05+01:00", "仅一次，2026 年 12 月 24 日 17:00:05（UTC）"),
        ("CRON_TZ=Asia/Tokyo 0 9 * * *", "每天 09:00（Asia/Tokyo 时间）"),
    ],
)
def test_other_schedules_in_chinese(spec, words):
    assert explain(spec, "Europe/Berlin", language="zh-CN") == words


def test_every_spec_has_chinese_words():
    choice = random.Random(8)
    for _ in range(2000):
        spec = random_spec(choice)
        words = explain(spec, "UTC", language="zh-CN")
        assert words.endswith("（UTC）"), spec
        said = words.removesuffix("（UTC）")
        assert not LATIN.search(said), (spec, words)
        assert not NO_BLANK.search(said), (spec, words)
        assert said == " ".join(said.split()), (spec, words)


def test_different_times_are_said_differently_in_chinese_wherever_they_are_in_english():
    choice = random.Random(9)
    said: dict[str, str] = {}
    for _ in range(2000):
        spec = random_spec(choice)
        chinese, english = explain(spec, "UTC", language="zh-CN"), explain(spec, "UTC")
        assert said.setdefault(chinese, english) == english, spec


def test_a_language_that_nobody_knows_is_english():
    assert explain("@daily", "UTC", language="fr") == explain("@daily", "UTC")
