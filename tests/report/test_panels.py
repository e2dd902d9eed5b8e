from __future__ import annotations

import base64
import json
import zlib

from rosearch.report.lineage import Lineage
from rosearch.report.panels import CHUNK, data, pack
from rosearch.report.points import Shown
from rosearch.run.results import Results


def test_every_record_has_a_panel_with_its_drawing_and_the_tables_of_show(made: Results) -> None:
    chunks = [json.loads(zlib.decompress(base64.b64decode(chunk))) for chunk in pack(made, made.records)]
    panels = [panel for chunk in chunks for panel in chunk]
    assert len(panels) == len(made.records) and len(chunks) == -(-len(made.records) // CHUNK)
    for record, (title, words, drawing, tables) in zip(made.records, panels, strict=True):
        assert title == f"#{record.number} {record.name or record.id}" and words == str(record.genotype)
        assert drawing.startswith("<svg ") and tables[0][0].startswith(f"#{record.number} ")
    failed = panels[30][3][0]
    assert ["failure", "nan while in distil: the loss is nan"] in failed[3]


def test_the_rows_of_the_data_say_what_became_of_each(made: Results) -> None:
    shown = Shown.of(made)
    lineage = Lineage.of(shown)
    told = json.loads(data(shown, lineage, (0.6, 0.4)))
    rows = [dict(zip(told["columns"], row, strict=True)) for row in told["rows"]]
    assert {row["number"]: tuple(row["parents"]) for row in rows if row["parents"]} == {
        number: parents for number, parents in lineage.parents.items() if parents
    }
    assert rows[5]["state"] == "missed min_quality" and rows[5]["terms"] == []
    assert rows[30]["state"] == "failed: nan in distil" and rows[30]["fitness"] == ""
    assert rows[31]["state"] == "baseline, passed" and rows[31]["origin"] == "baseline"
    assert rows[0]["state"] == "passed" and len(rows[0]["terms"]) == 3 and rows[0]["attacked"].endswith("%")
