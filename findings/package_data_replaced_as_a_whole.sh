#!/usr/bin/env bash
# setuptools 84.2.1: `[tool.setuptools.package-data]` replaces `package_data=` of setup.py as a whole, without a word.
#
# Expected: the table adds its packages to those of setup.py, or a warning names what is thrown away, as there is one for
#   `install_requires` beside a `[project]` table.
# Seen: a table that names the files of one package takes the files of every other package out of the wheel. The build
#   succeeds, and its output does not name the option. The same section in setup.cfg does the contrary: there setup.py wins
#   as a whole and the section is ignored, again without a word.
# Why it matters: while a project moves from setup.py to pyproject.toml package by package, its wheels lack files. An editable
#   install and the tests in the checkout still find them. Compare the list of files in the wheel.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "setuptools==84.2.1" 2>/dev/null
# NAME, further lines of pyproject.toml, lines of setup.cfg, further arguments of setup(): what is in the wheel.
build() {
    rm -rf "$folder/work"
    mkdir -p "$folder/work/north" "$folder/work/south"
    cd "$folder/work"
    touch north/__init__.py north/words.txt south/__init__.py south/table.json
    printf '[project]\nname = "places"\nversion = "1"\n%b' "$2" >pyproject.toml
    printf '%b' "$3" >setup.cfg
    cat >setup.py <<PYTHON
from setuptools import setup

files = {"north": ["words.txt"], "south": ["table.json"]}
setup(packages=["north", "south"], package_data=files, $4)
PYTHON
    "$folder/venv/bin/python" -W always -c "from setuptools import build_meta; build_meta.build_wheel('.')" >log 2>&1
    files=$("$folder/venv/bin/python" -c "import glob, zipfile
names = zipfile.ZipFile(glob.glob('*.whl')[0]).namelist()
print(*[name for name in names if name.endswith(('.txt', '.json')) and 'dist-info' not in name])")
    named=$(grep -cE "package[-_]data" log || true)
    warned=$(grep -c "install_requires. overwritten" log || true)
    echo "$1: $files; lines on package_data: $named, on install_requires: $warned"
}
result=$(
    build "setup.py alone" "" "" ""
    build "package-data of north in pyproject.toml" '[tool.setuptools.package-data]\nnorth = ["words.txt"]\n' "" ""
    build "package_data of north in setup.cfg" "" '[options.package_data]\nnorth = words.txt\n' ""
    build "package_data of none in setup.cfg" "" '[options.package_data]\nnorth = none.txt\n' ""
    build "install_requires" "" "" 'install_requires=["six"]'
)
echo "$result"
test "$result" = "setup.py alone: north/words.txt south/table.json; lines on package_data: 0, on install_requires: 0
package-data of north in pyproject.toml: north/words.txt; lines on package_data: 0, on install_requires: 0
package_data of north in setup.cfg: north/words.txt south/table.json; lines on package_data: 0, on install_requires: 0
package_data of none in setup.cfg: north/words.txt south/table.json; lines on package_data: 0, on install_requires: 0
install_requires: north/words.txt south/table.json; lines on package_data: 0, on install_requires: 1"
