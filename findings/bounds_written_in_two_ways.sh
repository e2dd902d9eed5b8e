#!/usr/bin/env bash
# pydantic 2.8.2 and 2.14.4: the bound of a float, given as `gt=0`, is 0.0 in the JSON schema of one and 0 in that of the other.
#
# Expected: within one major version a model that does not change has a JSON schema that does not change, to the letter.
# Seen: up to 2.10.6 bounds of a float field are written as floats, whatever was given; from 2.11.10 on they are written as
#   given. The two schemas mean the same, and compare as equal in Python, but their texts differ, and so do hashes of them.
#   A default is written as given by all of them, so that 2.8.2 has `1` and `1.0` for the same number in one field.
# Why it matters: pages, snapshots and fingerprints made from a schema change with the installed version. Write the numbers
#   oneself, or give bounds as floats: 0.0 comes out as 0.0 everywhere.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/ask.py" <<'PYTHON'
import json

from pydantic import BaseModel, Field


class Model(BaseModel):
    rate: float = Field(1, gt=0, title="")
    share: float = Field(1.0, ge=0.0, title="")


print(json.dumps(Model.model_json_schema()["properties"], sort_keys=True))
PYTHON
check() {
    python3 -m venv "$folder/$1"
    "$folder/$1/bin/pip" install --quiet --disable-pip-version-check "pydantic==$1" 2>/dev/null
    result=$("$folder/$1/bin/python" "$folder/ask.py")
    echo "pydantic $1: $result"
    test "$result" = "$2"
}
share='"share": {"default": 1.0, "minimum": 0.0, "title": "", "type": "number"}'
old="{\"rate\": {\"default\": 1, \"exclusiveMinimum\": 0.0, \"title\": \"\", \"type\": \"number\"}, $share}"
new="{\"rate\": {\"default\": 1, \"exclusiveMinimum\": 0, \"title\": \"\", \"type\": \"number\"}, $share}"
check 2.8.2 "$old"
check 2.10.6 "$old"
check 2.11.10 "$new"
check 2.14.4 "$new"
equal=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1]) == json.loads(sys.argv[2]))' "$old" "$new")
echo "equal as data: $equal"
test "$equal" = True
