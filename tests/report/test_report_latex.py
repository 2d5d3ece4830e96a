"""Tables in three formats: LaTeX prints a text as it is, and each format has the same cells."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.report.conftest import write_run
from vlmcar.report.__main__ import main
from vlmcar.report.latex import escape, latex


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("unlock_pickup", r"unlock\_pickup"),
        ("90 %", r"90 \%"),
        ("a & b", r"a \& b"),
        ("#1 $2", r"\#1 \$2"),
        ("{x}", r"\{x\}"),
        ("~^", r"\textasciitilde{}\textasciicircum{}"),
        ("a\\b", r"a\textbackslash{}b"),  # its braces are not escaped again
        ("\\{", r"\textbackslash{}\{"),
        ("> 20k <", r"\textgreater{} 20k \textless{}"),
        ("one\n\n  paragraph", "one paragraph"),
        ("0.58 [0.42, 0.80] – ·", "0.58 [0.42, 0.80] – ·"),
    ],
)
def test_escaping(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_a_table() -> None:
    cells = pd.DataFrame({"method": ["a_b", "[c]"], "steps to 90 %": ["> 20k", "**none** at all"]})
    assert latex(cells).splitlines() == [
        r"% \usepackage{booktabs}",
        r"\begin{tabular}{ll}",
        r"\toprule",
        r"method & steps to 90 \% \\",
        r"\midrule",
        r"a\_b & \textgreater{} 20k \\",
        r"{[}c] & \textbf{none} at all \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_every_table_of_the_page_is_written_in_three_formats(tmp_path: Path) -> None:
    usage = dict.fromkeys(
        ["calls", "answers", "unclear", "failed", "input_tokens", "output_tokens", "seconds", "cost"], 1
    )
    audit = {"episodes": 50, "full_without_success": 5, "success_without_full": 0, "exploited": True}
    results, out = tmp_path / "results", tmp_path / "out"
    write_run(results, result={"vlm_ledger": {"program": {"asked": usage}}, "audit": audit})
    write_run(results, seed=1, result={"audit": audit | {"full_without_success": 0, "exploited": False}})
    (results / "agreement").mkdir()
    (results / "agreement" / "minigrid-doorkey_8x8.csv").write_text(
        "trajectories,subtask,truth,count,positives,agreement,false_positives,false_negatives\n"
        "expert,open_door,locked_door_open,889,409,1.0,0,0\n"
    )
    assert main(["--results", str(results), "--out", str(out)]) == 0
    page = (out / "report.md").read_text()
    for name in ("table", "success", "ledger", "agreement", "audit"):
        assert (out / f"{name}.csv").is_file()
        markdown = (out / f"{name}.md").read_text()
        assert name == "success" or markdown in page
        tex = (out / f"{name}.tex").read_text()
        assert tex.count(r" \\") == markdown.count("\n") - 1  # a row each, and no rule below the heading
        assert tex.count(" & ") == markdown.count(" | ") - markdown.splitlines()[1].count(" | ")
    assert r"\textbf{seed 0}" in (out / "audit.tex").read_text()
    (row,) = pd.read_csv(out / "audit.csv").to_dict("records")
    assert (row["audited_seeds"], row["episodes"], row["full_without_success"]) == (2, 100, 5)
    assert row["full_without_success_low"] == pytest.approx(0.0215, abs=1e-4)  # Wilson's, of 5 in 100
    assert row["full_without_success_high"] == pytest.approx(0.1118, abs=1e-4)
    assert list(pd.read_csv(out / "success.csv"))[:6] == [
        "environment", "method", "seeds", "final_success", "final_success_low", "final_success_high"
    ]  # fmt: skip
