"""Private PostgreSQL and MariaDB servers for tests, benchmarks and development.

    with PrivatePostgres() as server:
        variables = server.environment(server.create_database())

For development, one that stays until Ctrl-C:

    python -m tests.helpers.servers postgres|mariadb [--durable]

Both servers live in a zone that is not UTC and has an odd offset: code that leans on the server's
zone is found out here.
"""

from __future__ import annotations

import argparse
import ctypes
import shlex
import signal
import socket
import sys
from contextlib import closing, suppress
from pathlib import Path

import psycopg2
import psycopg2.extensions
import pymysql

from tests.helpers.private_server import (
    NotReady,
    PrivateServer,
    ServerError,
    find_binary,
    new_database_name,
)

__all__ = ["PrivateMariaDB", "PrivatePostgres", "PrivateServer", "ServerError"]

CONNECT_TIMEOUT_S = 5
SHARED_MEMORY_LINE = 6  # in postmaster.pid: "key id"
IPC_RMID = 0


class PrivatePostgres(PrivateServer):
    """PostgreSQL; the newest one that is installed."""

    engine = "postgres"
    service_user = "postgres"
    admin = "postgres"

    def install_command(self) -> list[str]:
        return [
            *(self._binary("initdb"), "--pgdata", str(self.data_directory), "--no-sync"),
            *("--username", self.admin, "--encoding", "UTF8", "--locale", "C"),
            *("--auth-local", "trust", "--auth-host", "scram-sha-256"),
        ]

    def server_command(self) -> list[str]:
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": str(self.directory),
            "max_connections": "200",
            "timezone": "Asia/Kathmandu",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            # In the data directory rather than in /dev/shm, where kill() would leave it behind.
            "dynamic_shared_memory_type": "mmap",
        }
        if not self.durable:
            settings["fsync"] = "off"
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [self._binary("postgres"), "-D", str(self.data_directory), *options]

    def stop_signal(self) -> signal.Signals:
        return signal.SIGINT  # "fast": disconnect clients, write a checkpoint

    def ping(self) -> None:
        try:
            self._admin_connection().close()
        except psycopg2.OperationalError as error:
            raise NotReady(str(error)) from error

    def execute_as_admin(self, *statements: str) -> None:
        with closing(self._admin_connection()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def create_account(self) -> None:
        self.execute_as_admin(f"CREATE ROLE {self.user} LOGIN CREATEDB PASSWORD '{self.password}'")

    def create_database(self, name: str | None = None) -> str:
        name = name or new_database_name()
        # Not from template1: that one is refused while anybody is connected to it (autovacuum).
        self.execute_as_admin(f'CREATE DATABASE "{name}" OWNER {self.user} TEMPLATE template0')
        return name

    def drop_database(self, name: str) -> None:
        self.execute_as_admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def close(self) -> None:
        try:
            self.stop()
            self._remove_shared_memory()
        finally:
            super().close()

    def _remove_shared_memory(self) -> None:
        """Remove what a killed server that was never started again has left with the kernel."""
        with suppress(FileNotFoundError, IndexError):
            described = (self.data_directory / "postmaster.pid").read_text().splitlines()
            _, segment = described[SHARED_MEMORY_LINE].split()
            ctypes.CDLL(None).shmctl(int(segment), IPC_RMID, None)

    def _admin_connection(self) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(
            host=str(self.directory),
            port=self.port,
            user=self.admin,
            dbname="postgres",
            connect_timeout=CONNECT_TIMEOUT_S,
        )
        connection.autocommit = True
        return connection

    @staticmethod
    def _binary(name: str) -> str:
        versions = Path("/usr/lib/postgresql").glob("*/bin")
        newest_first = sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
        return find_binary(name, *newest_first, package="postgresql")


class PrivateMariaDB(PrivateServer):
    """MariaDB, which stands for MySQL as well."""

    engine = "mysql"
    service_user = "mysql"
    admin = "root"

    # Everything an application has in its own databases, and nothing that lets it past a server's
    # read_only or max_connections, as ALL PRIVILEGES would.
    rights = (
        "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES, LOCK TABLES, "
        "CREATE TEMPORARY TABLES, CREATE VIEW, SHOW VIEW, TRIGGER"
    )

    @property
    def socket_path(self) -> Path:
        return self.directory / "mysqld.sock"

    def install_command(self) -> list[str]:
        program = find_binary("mariadb-install-db", Path("/usr/bin"), package="mariadb-server")
        return [
            *(program, "--no-defaults", f"--datadir={self.data_directory}"),
            *("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"),
            *(f"--tmpdir={self.directory}", "--debug-no-sync=1"),
        ]

    def server_command(self) -> list[str]:
        program = find_binary("mariadbd", Path("/usr/sbin"), package="mariadb-server")
        command = [
            *(program, "--no-defaults", f"--datadir={self.data_directory}"),
            *(f"--bind-address={self.host}", f"--port={self.port}", f"--socket={self.socket_path}"),
            *(f"--pid-file={self.directory / 'server.pid'}", f"--tmpdir={self.directory}"),
            *("--skip-name-resolve", "--max-connections=300", "--default-time-zone=+05:45"),
            *("--character-set-server=utf8mb4", "--skip-log-bin"),
        ]
        if not self.durable:
            # 2: every commit reaches the kernel, so that it survives kill(), but not yet the disk.
            command += ["--debug-no-sync=1", "--innodb-flush-log-at-trx-commit=2"]
        return command

    def stop_signal(self) -> signal.Signals:
        return signal.SIGTERM

    def ping(self) -> None:
        try:
            self._admin_connection().close()
        except (OSError, pymysql.OperationalError) as error:
            raise NotReady(str(error)) from error

    def execute_as_admin(self, *statements: str) -> None:
        with closing(self._admin_connection()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def create_account(self) -> None:
        self.execute_as_admin(
            f"CREATE USER {self.user}@'%' IDENTIFIED BY '{self.password}'",
            f"GRANT {self.rights} ON *.* TO {self.user}@'%'",
            # The installer leaves administrators behind that need no password, also over TCP.
            "DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost'",
            "FLUSH PRIVILEGES",
        )

    def create_database(self, name: str | None = None) -> str:
        name = name or new_database_name()
        self.execute_as_admin(f"CREATE DATABASE `{name}`")
        return name

    def drop_database(self, name: str) -> None:
        with closing(self._admin_connection()) as connection, connection.cursor() as cursor:
            # An open transaction would make DROP wait for its metadata locks.
            cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", [name])
            for (session,) in cursor.fetchall():
                with suppress(pymysql.OperationalError):  # it has left on its own meanwhile
                    cursor.execute(f"KILL CONNECTION {session:d}")
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")

    def _admin_connection(self) -> pymysql.Connection[pymysql.cursors.Cursor]:
        # On a socket of our own: PyMySQL does not close the one it makes if nobody listens yet.
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            channel.settimeout(CONNECT_TIMEOUT_S)
            channel.connect(str(self.socket_path))
            connection = pymysql.connect(
                user=self.admin, charset="utf8mb4", autocommit=True, defer_connect=True
            )
            connection.connect(channel)
        except BaseException:
            channel.close()
            raise
        return connection


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.helpers.servers")
    parser.add_argument("engine", choices=["postgres", "mariadb"])
    parser.add_argument("--durable", action="store_true", help="flush to disk as in production")
    options = parser.parse_args()
    kind = {"postgres": PrivatePostgres, "mariadb": PrivateMariaDB}[options.engine]
    signals = {signal.SIGINT, signal.SIGTERM}
    with kind(durable=options.durable) as server:
        for name, value in server.environment(server.create_database("gocron")).items():
            sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
        sys.stdout.write(f"# log: {server.log_file}; Ctrl-C stops the server and deletes it\n")
        sys.stdout.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        signal.sigwait(signals)


if __name__ == "__main__":
    try:
        main()
    except ServerError as error:
        sys.exit(str(error))
