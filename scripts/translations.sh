#!/usr/bin/env bash
# Collects the panel's words, and what gocron say()s, into admin/translations and compiles them. Run it
# after changing words, then fill in what has none yet:
# grep -n -A1 'msgstr ""' admin/translations/*/*/messages.po
set -euo pipefail
cd "$(dirname "$0")/../admin"

babel() { ../.venv/bin/pybabel --quiet "$@"; }

words=$(mktemp)
trap 'rm -f "$words"' EXIT
babel extract --mapping=babel.cfg --keywords=_ --keywords=lazy --keywords=ngettext:1,2 --keywords=say \
    --keywords=say_n:1,2 --no-location --sort-output --project=gocron \
    --copyright-holder='gocron for Python authors' --output="$words" . ../gocron
babel update --input-file="$words" --output-dir=translations --no-fuzzy-matching \
    --ignore-obsolete --no-wrap
# Dates change with every run, and say nothing that the history does not.
sed -i -E '/^"(POT-Creation|PO-Revision)-Date/d' translations/*/LC_MESSAGES/messages.po
babel compile --directory=translations
