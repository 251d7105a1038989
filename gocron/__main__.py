"""``python -m gocron`` is the command ``gocron``."""

from gocron.cli import main

if __name__ == "__main__":
    main()
