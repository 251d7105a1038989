#!/usr/bin/env bash
# Brings Tabler's style sheet and icons into admin/static: fixed versions, only what is used.
# Run it again after using a class or an icon that was not used before; a test tells when.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly TABLER=1.6.1 ICONS=3.51.0 CHART=4.6.1 PURGECSS=8.0.0
readonly TARGET=$PWD/admin/static
readonly USED_ICONS=(
    activity alert-circle alert-triangle arrow-back-up arrow-bar-to-down arrow-left ban bolt
    calendar-event calendar-repeat calendar-stats chart-bar chart-line chevron-down chevron-left
    chevron-right chevron-up circle-check clipboard-list clock clock-bolt copy crown dashboard
    database dots-vertical download eye file-export file-import filter git-compare history
    hourglass key keyboard language list-check list-details logout moon pencil player-pause
    player-play player-skip-forward player-stop plug plus refresh rotate search server-2 settings
    shield sitemap stack-2 sun sun-moon tag terminal-2 text-wrap tool trash upload user users
    world x zzz
)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent "@tabler/core@$TABLER" "@tabler/icons@$ICONS" "chart.js@$CHART" >/dev/null
mkdir core icons chart
tar xzf tabler-core-*.tgz -C core --strip-components=1
tar xzf tabler-icons-*.tgz -C icons --strip-components=1
tar xzf chart.js-*.tgz -C chart --strip-components=1
sed '/^\/\/# sourceMappingURL=/d' chart/dist/chart.umd.min.js >"$TARGET/chart.js"
npm install --silent --no-fund --no-audit "purgecss@$PURGECSS" >/dev/null

# Classes that a script sets stand in the scripts, colours of states in presentation.py.
npx purgecss --css core/dist/css/tabler.min.css --output tabler.css --variables \
    --content "$TARGET/../templates/**/*.html" "$TARGET/../*.py" "$TARGET/../views/*.py" "$TARGET/*.js" \
    --safelist active show
mv tabler.css "$TARGET/tabler.css"

{
    printf '<svg xmlns="http://www.w3.org/2000/svg">\n'
    for name in "${USED_ICONS[@]}"; do
        printf '<symbol id="%s" viewBox="0 0 24 24" stroke-linecap="round" stroke-linejoin="round">' "$name"
        grep -E '^ *<(path|circle|rect|line)' "icons/icons/outline/$name.svg" |
            grep -v 'M0 0h24v24H0z' | sed -E 's/^ +//' | tr -d '\n'
        printf '</symbol>\n'
    done
    printf '</svg>\n'
} >"$TARGET/icons.svg"
{
    printf '# What in this folder comes from others\n\n'
    printf '`tabler.css`: Tabler %s (https://tabler.io), the rules that the panel uses.\n' "$TABLER"
    printf '`icons.svg`, `icon.svg`: Tabler Icons %s (https://tabler.io/icons), the icons that it uses.\n' "$ICONS"
    printf '`chart.js`: Chart.js %s (https://www.chartjs.org).\n' "$CHART"
    printf 'All under the MIT License:\n\n```\n'
    printf 'Copyright (c) 2018-2026 The Tabler Authors\n'
    printf 'Copyright (c) 2014-2025 Chart.js Contributors\n'
    sed '1,2d' icons/LICENSE
    printf '```\n\nThe other files are part of gocron.\n'
} >"$TARGET/LICENSES.md"
ls -l "$TARGET"
