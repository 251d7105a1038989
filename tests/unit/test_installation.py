"""When a node counts as installed, and the files of an installation: all of them or none."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import gocron
from gocron import installation
from gocron.config import load, load_with_sources
from gocron.errors import Conflict, IdentityTaken, InvalidSetting
from gocron.installation import Files, Token, is_installed, merged


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    return tmp_path


def _installed(home: Path, **variables: str) -> bool:
    return is_installed(load_with_sources({"GOCRON_HOME": str(home), **variables}))


def _write(home: Path, *lines: str) -> None:
    Files(home).settings.write_text("\n".join(["[default]", *lines, ""]))


# whether it is ----------------------------------------------------------------------------------


def test_an_empty_home_is_not_installed(tmp_path):
    assert not _installed(tmp_path / "nowhere")


def test_a_database_in_the_environment_is_enough(home):
    assert _installed(home, GOCRON_DB_ENGINE="sqlite")
    assert _installed(home, GOCRON_DB_PREFIX="x_")
    assert not _installed(home, GOCRON_DB_ENGINE="", GOCRON_TIMEZONE="Europe/Berlin")


def test_what_kubernetes_sets_for_a_service_is_no_database(home):
    assert not _installed(home, GOCRON_DB_PORT="tcp://10.0.0.7:5432")


def test_a_database_in_the_file_is_enough_with_or_without_install_lock(home):
    _write(home, "app.name = night shift")
    assert not _installed(home)
    _write(home, "db.engine = sqlite")
    assert _installed(home)
    Files(home).lock.touch()
    assert _installed(home)


def test_the_sqlite_file_of_an_earlier_version_is_enough(home):
    (home / "gocron.db").touch()
    assert _installed(home)


def test_a_lost_app_ini_does_not_open_the_wizard_again(home):
    Files(home).lock.touch()
    with pytest.raises(InvalidSetting, match=r"install\.lock says that this node is installed"):
        _installed(home)
    assert _installed(home, GOCRON_DB_ENGINE="sqlite")


# app.ini ----------------------------------------------------------------------------------------

NASTY = {
    "db.engine": "mysql",
    "db.host": "db.example.org",
    "db.user": "gocron",
    "db.database": "go cron",
    "db.password": "a%b#c;d\"e'f=g:h[i] 密码",
    "app_lang": "zh-CN",
}


def test_what_is_written_is_what_is_read(home):
    installation.write(home, merged("", NASTY))
    settings = load({"GOCRON_HOME": str(home)})
    assert settings.db.password.get_secret_value() == NASTY["db.password"]
    assert (settings.db.host, settings.db.database) == ("db.example.org", "go cron")
    assert settings.app_lang == "zh-CN"


def test_an_empty_password_is_an_empty_password(home):
    installation.write(home, merged("", {**NASTY, "db.password": ""}))
    assert load({"GOCRON_HOME": str(home)}).db.password.get_secret_value() == ""


def test_what_stood_in_the_file_stays_and_what_is_new_wins():
    before = "\n".join(
        [
            "# ours",
            "[default]",
            "app.name = night",
            "  shift",
            "; the zone",
            "Timezone : Asia/Tokyo",
            "  ignored",
            "",
            "web.port = 6000",
        ]
    )
    after = merged(before, {"db.engine": "sqlite", "timezone": "UTC"})
    assert after.splitlines() == [
        "[default]",
        "db.engine = sqlite",
        "timezone = UTC",
        "# ours",
        "app.name = night",
        "  shift",
        "; the zone",
        "",
        "web.port = 6000",
    ]


@pytest.mark.parametrize("text", ["a\nallow_root = true", "a\r", "a\x00", "a\x1b[2J", "a\u2028b"])
def test_a_value_cannot_bring_lines_of_its_own(text):
    with pytest.raises(InvalidSetting, match=r"db\.password"):
        merged("", {"db.password": text})


# files ------------------------------------------------------------------------------------------


def _content(home: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in Files(home).folder.iterdir()}


def test_the_files_are_for_nobody_else(home):
    Files(home).folder.chmod(0o755)
    old = os.umask(0)
    try:
        installation.write(home, "[default]\ndb.engine = sqlite\n")
    finally:
        os.umask(old)
    content = _content(home)
    assert set(content) == {"app.ini", "install.lock", ".version"}
    assert content[".version"] == f"{gocron.__version__}\n"
    assert {path.stat().st_mode & 0o777 for path in Files(home).folder.iterdir()} == {0o600}
    assert Files(home).folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_full_disk_leaves_everything_as_it_was(home, monkeypatch, call):
    _write(home, "app.name = night shift")
    before = _content(home)
    calls = []

    def full(_descriptor: int) -> None:
        calls.append(1)
        if len(calls) == call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("gocron.installation.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        installation.write(home, "[default]\ndb.engine = sqlite\n")
    monkeypatch.undo()
    assert _content(home) == before
    assert not _installed(home)
    installation.write(home, "[default]\ndb.engine = sqlite\n")
    assert _installed(home)


def test_whoever_is_killed_after_app_ini_is_in_place_leaves_an_installed_node(home, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(_folder: Path) -> None:
        raise Killed

    monkeypatch.setattr("gocron.installation._flush_folder", killed)
    monkeypatch.setattr("gocron.installation.discard_drafts", lambda _home: None)
    with pytest.raises(Killed):
        installation.write(home, "[default]\ndb.engine = sqlite\n")
    monkeypatch.undo()
    assert _installed(home)
    installation.discard_drafts(home)
    assert set(_content(home)) == {"app.ini"}


def test_a_draft_that_somebody_made_a_link_of_leads_nowhere(home, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("untouched")
    (home / "conf" / ".app.ini.new").symlink_to(elsewhere)
    installation.write(home, "[default]\ndb.engine = sqlite\n")
    assert elsewhere.read_text() == "untouched"


def test_an_installed_node_is_not_installed_again(home):
    installation.write(home, "[default]\ndb.engine = sqlite\n")
    before = _content(home)
    with pytest.raises(Conflict):
        installation.write(home, "[default]\ndb.engine = mysql\n")
    assert _content(home) == before


# the token --------------------------------------------------------------------------------------


def test_the_token_is_in_a_file_for_nobody_else_until_it_is_spent(home):
    Files(home).token.write_text("an old and longer one, of a node that was killed meanwhile")
    Files(home).token.chmod(0o644)
    token = Token(home)
    assert Files(home).token.read_text() == f"{token.text}\n"
    assert Files(home).token.stat().st_mode & 0o777 == 0o600
    assert len(token.text) >= 24
    token.spend()
    assert not Files(home).token.exists()


def test_one_home_waits_for_one_installation_only(home):
    first = Token(home)
    with pytest.raises(IdentityTaken, match="waiting to be installed"):
        Token(home)
    assert Files(home).token.read_text() == f"{first.text}\n"
    first.spend()
    Token(home).spend()
