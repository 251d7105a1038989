"""What pyproject.toml cannot say: two packages come from folders of other names.

`migrations/` and `conf/` stand at the top of the repository and are installed inside the package,
as `gocron.migrations` and `gocron.conf`.  In a checkout they are found where they stand.
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["gocron", "gocron.*", "admin", "admin.*"]),
        "gocron.migrations",
        "gocron.migrations.versions",
        "gocron.conf",
    ],
    package_dir={"gocron.migrations": "migrations", "gocron.conf": "conf"},
)
