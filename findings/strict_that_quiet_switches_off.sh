#!/usr/bin/env bash
# mkdocs 1.6.1: `mkdocs build --strict` checks nothing once it is asked to be quiet as well.
#
# Expected: --strict decides the exit code, --quiet what is printed: a page with a dead link ends a strict build with 1.
# Seen: --strict counts the warnings that are logged, and --quiet keeps them from being logged: exit code 0.
# Why it matters: the build of a CI that is quiet passes with dead links, and nothing in its output says so.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "mkdocs==1.6.1"
mkdir "$place/docs"
echo '[elsewhere](absent.md)' >"$place/docs/index.md"
printf 'site_name: x\nvalidation: {links: {not_found: warn}}\n' >"$place/mkdocs.yml"

code() { "$place/venv/bin/mkdocs" build -f "$place/mkdocs.yml" -d "$place/site" "$@" >/dev/null 2>&1 && echo 0 || echo $?; }
strict=$(code --strict) quiet=$(code --strict --quiet)
echo "mkdocs 1.6.1, a page with a dead link: --strict ends with $strict, --strict --quiet with $quiet"
[ "$strict" = 1 ] && [ "$quiet" = 0 ]
