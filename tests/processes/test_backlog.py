"""After an hour without any leader every slot becomes what its task's policy says."""

from __future__ import annotations

from pathlib import Path

from benchmarks.backlog import add_backlog, unsettled, wrong
from tests.helpers.cluster import Node, wait_for


def test_an_hour_without_any_leader_ends_as_each_policy_says(
    server_env: dict[str, str], tmp_path: Path
) -> None:
    node = Node(tmp_path, server_env, "only")
    try:
        node.start()
        node.stop()
        late = add_backlog(server_env, 30)
        node.start()
        wait_for(lambda: not unsettled(server_env), "the backlog is gone", patience_s=60)
        assert not wrong(server_env, late)
    finally:
        node.end()
