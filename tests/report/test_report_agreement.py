"""The table of agreement with ground truth."""

from __future__ import annotations

from pathlib import Path

from vlmcar.report.agreement import agreement_section, read_agreement, read_agreement_csv

ROWS = """trajectories,subtask,truth,count,positives,agreement,false_positives,false_negatives
expert,open_door,locked_door_open,889,409,1.0,0,0
policy,open_door,locked_door_open,5908,4893,0.75,1477,0
"""


def test_each_subtask_is_a_row_and_each_kind_a_column(tmp_path: Path) -> None:
    (tmp_path / "agreement").mkdir()
    (tmp_path / "agreement" / "doorkey.csv").write_text(ROWS)
    table, problems = read_agreement(tmp_path)
    assert problems == []
    _, text, note = agreement_section(table)
    row = text.splitlines()[-1]
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "doorkey",
        "open_door",
        "locked_door_open",
        "1.000 (0 FP, 0 FN; 409 of 889 true)",
        "–",
        "0.750 (1477 FP, 0 FN; 4893 of 5908 true)",
    ]
    assert "stage=agreement" in note
    table.to_csv(tmp_path / "agreement.csv", index=False)
    assert agreement_section(read_agreement_csv(tmp_path)) == agreement_section(table)


def test_a_corrupt_file_is_named_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "agreement").mkdir()
    (tmp_path / "agreement" / "bad.csv").write_text("half,a\n1")
    table, (problem,) = read_agreement(tmp_path)
    assert table.empty
    assert "bad.csv" in str(problem.path)
    assert agreement_section(table) == []


def test_nothing_measured_is_no_section(tmp_path: Path) -> None:
    assert agreement_section(read_agreement(tmp_path)[0]) == []
    assert agreement_section(read_agreement_csv(tmp_path)) == []
