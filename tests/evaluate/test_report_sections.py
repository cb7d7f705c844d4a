"""What each section of the page shows, with values worked out by hand."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from tests.evaluate.made_results import made, saved
from tests.evaluate.report_page import (
    Page,
    benchmark,
    everything,
    report,
    rows,
    with_benchmark,
)

from biencoder.errors import InputError
from biencoder.evaluate.judged_set import read_judged_set
from biencoder.evaluate.report.page import write_report
from biencoder.evaluate.results import Result


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return report(tmp_path_factory.mktemp("everything"), *everything())


def test_the_score_table_holds_means_and_intervals_with_the_baseline_last(page: Page) -> None:
    table = page.section("scores").first("table")
    assert [cell.words for cell in table.first("tr").children] == [
        *("Set", "mini", "BM25", "Questions", "Documents")
    ]
    assert rows(table) == [
        ["notes", "80.0 70.0–90.0", "45.0 35.0–55.0", "2", "7"],
        ["other", "50.0 40.0–60.0", "–", "2", "7"],
    ]
    assert [best.words for best in table.all("b")] == ["80.0"]


def test_a_mean_over_sets_stands_only_where_every_system_has_every_set(tmp_path: Path) -> None:
    results = [
        made([value], system=system, dataset=dataset, digest=dataset)
        for system, dataset, value in (
            ("mini", "a", 0.2),
            ("mini", "b", 0.6),
            ("BM25", "a", 0.3),
            ("BM25", "b", 0.4),
        )
    ]
    whole = report(tmp_path / "whole", *results)
    assert rows(whole.section("scores").first("table"))[-1][:3] == [
        "mean of the 2 sets",
        "40.0",
        "35.0",
    ]
    assert "mean of" not in report(tmp_path / "part", *results[:3]).section("scores").words


def test_differences_are_paired_and_corrected(tmp_path: Path) -> None:
    ours, lexical = [0.5] * 40 + [0.0], [0.0] * 40 + [0.0]
    page = report(tmp_path, made(ours), made(lexical, system="BM25"))
    row = rows(page.section("differences").first("table"))[0]
    assert row[:3] == ["notes", "BM25", "+48.8"]
    assert row[4:] == ["< 0.001", "40, 0, 1", "mini is better"]


def test_the_curves_have_a_line_for_each_precision(page: Page) -> None:
    part = page.section("compression")
    by_dimensions, by_bytes = part.all("svg", "chart")
    assert "dimensions and score, float32, int8, binary" in by_dimensions.children[0].text
    assert len(by_dimensions.all("polyline")) == 3
    assert "512 bytes: 60.0" in by_bytes.text
    ticks = [text.text for text in by_bytes.all("text", "tick")]
    assert {"16", "1,536"} <= set(ticks)


def test_the_share_that_is_kept_is_of_the_full_form(page: Page) -> None:
    assert rows(page.section("compression").first("table")) == [
        ["384", "float32", "1,536", "80.0 100 %", "100 %"],
        ["384", "int8", "384", "78.0 98 %", "98 %"],
        ["128", "float32", "512", "60.0 75 %", "75 %"],
        ["128", "binary", "16", "40.0 50 %", "50 %"],
    ]


def test_the_heat_map_has_questions_in_rows_and_documents_in_columns(page: Page) -> None:
    table = page.section("languages").first("table", "heat")
    heads = [[cell.words for cell in row.children] for row in table.first("thead").all("tr")]
    assert heads == [["", "documents"], ["questions", "de", "en", "mixed"]]
    assert rows(table) == [["de", "90.0", "30.0", "50.0"], ["en", "40.0", "95.0", "60.0"]]
    own = [cell.words for cell in table.all("td", "own")]
    assert own == ["90.0", "95.0"]
    regions = rows(page.section("languages").all("table")[1])
    assert regions == [["mini", "92.5 of 2", "35.0 of 2", "55.0 of 2", "75 %"]]


def test_only_equal_pools_are_averaged(tmp_path: Path) -> None:
    def pool(query: str, value: float, *languages: str) -> Result:
        return made(
            [value],
            dataset=f"pets/{query}-mixed of {', '.join(languages)}",
            digest=f"{query}{languages}",
            settings={
                "group": "pets",
                "query_language": query,
                "document_language": "mixed",
                "languages": list(languages),
            },
            extra={"same language@5": value / 2},
        )

    three, two = ("de", "en", "fr"), ("de", "en")
    results = [pool("de", 0.2, *three), pool("en", 0.4, *three), pool("de", 0.8, *two)]
    part = report(tmp_path, *results).section("languages")
    assert rows(part.first("table", "heat")) == [["de", "80.0", "20.0"], ["en", "–", "40.0"]]
    regions = part.all("table")[1]
    heads = [cell.words for cell in regions.first("thead").all("th")]
    assert heads[3::2] == ["mixed pool: de, en", "mixed pool: de, en, fr"]
    assert rows(regions) == [["mini", "–", "–", "80.0 of 1", "40 %", "30.0 of 2", "15 %"]]


def test_bars_show_each_set_from_zero(page: Page) -> None:
    charts = page.section("domains").all("svg", "chart")
    names = [chart.children[0].text for chart in charts]
    assert names == ["notes: mini 80.0, BM25 45.0", "other: mini 50.0"]
    widths = [float(bar.attributes["width"] or 0) for bar in charts[0].all("rect", "bar")]
    assert widths[0] / widths[1] == pytest.approx(80 / 45, rel=1e-3)


def test_domains_are_used_where_results_name_them(tmp_path: Path) -> None:
    results = [
        made([value], dataset=f"x/{domain}", digest=domain, settings={"domain": domain})
        for domain, value in (("law", 0.2), ("tea", 0.6))
    ]
    part = report(tmp_path, *results).section("domains")
    assert [head.words for head in part.all("h3")] == ["law", "tea"]
    assert "by domain" in part.first("figcaption").words


def test_equal_scores_and_speeds_make_pictures_too(tmp_path: Path) -> None:
    forms = [
        made([0.5], system=f"mini {size}", model={"dimensions": size}, speed={"documents/s": 9.0})
        for size in (64, 128)
    ]
    other = made([0.5], system="BM25", speed={"documents/s": 9.0})
    page = report(tmp_path, *forms, other)
    for section in ("compression", "speed"):
        assert "nan" not in page.section(section).text
        assert page.section(section).all("svg", "chart")


def test_results_without_counts_intervals_or_machine_are_shown_all_the_same(tmp_path: Path) -> None:
    bare = replace(made([0.5]), intervals={}, data={"digest": "d1"}, conditions={}, model={})
    page = report(tmp_path, bare)
    assert rows(page.section("scores").first("table")) == [["notes", "50.0", "–", "–"]]
    assert "an unknown machine" in page.section("conditions").words


def test_speed_stands_beside_quality(page: Page) -> None:
    part = page.section("speed")
    assert "BM25: 45.0, 5,000 documents a second" in part.first("svg", "chart").text
    assert "Test, cores 2" in part.words


def test_the_worst_questions_come_first_those_that_another_system_answers_leading(
    tmp_path: Path,
) -> None:
    ours, other = [0.0, 1.0, 0.0, 0.5], [0.2, 1.0, 0.9, 0.5]
    page = report(tmp_path, made(ours), made(other, system="BM25"))
    part = page.section("worst")
    assert [item.words for item in part.all("p", "question")] == [
        *("question 2", "question 0", "question 3", "question 1")
    ]
    assert "nDCG@10 0.0 · BM25 90.0" in part.words
    assert "mini-d2 score 0.750" in part.words
    assert "2 questions of 4 at 0" in part.words


def test_given_the_data_the_worst_questions_show_what_was_right(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "qrels").mkdir(parents=True)
    documents = [("mini-d0", "Rivers", "flow <down>"), ("right", "", "The right one")]
    (data / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": i, "title": t, "text": x}) + "\n" for i, t, x in documents)
    )
    (data / "queries.jsonl").write_text('{"_id": "q0", "text": "question 0"}\n')
    (data / "qrels" / "test.tsv").write_text("q0\tright\t2\nq0\tmini-d0\t0\n")
    digest = read_judged_set(data).digest
    page = report(tmp_path, made([0.0], digest=digest), data=[data])
    part = page.section("worst")
    assert "mini-d0 Rivers flow <down>" in part.words
    assert "Relevant (1): right The right one" in part.words
    assert "adds the documents" not in part.words
    written = write_report([tmp_path / "results"], tmp_path / "r.html", data=[data])
    assert written.strangers == ()


def test_data_that_no_result_was_measured_on_are_told(tmp_path: Path) -> None:
    data = Path(__file__).parents[2] / "examples" / "fastapi-docs" / "en"
    saved(tmp_path / "results", made([0.5]))
    written = write_report([tmp_path / "results"], tmp_path / "r.html", data=[data])
    assert written.strangers == (data,)
    with pytest.raises(InputError, match=r"holds no corpus\.jsonl"):
        write_report([tmp_path / "results"], tmp_path / "r.html", data=[tmp_path])


def test_what_was_left_out_is_counted(page: Page, tmp_path: Path) -> None:
    assert ["notes", "odd rows", "2", "BM25"] in rows(page.section("left-out").first("table"))
    nothing = report(tmp_path, made([0.5]))
    assert "Nothing was left out." in nothing.section("left-out").words


def test_conditions_hold_prompts_fingerprints_digests_versions_and_dates(page: Page) -> None:
    words = page.section("conditions").words
    for fact in ("00112233aabbccdd", "“query: ”", "“passage: ”", "bfloat16", "d2", "k1 0.9"):
        assert fact in words
    for fact in ("128, 384 × float32, int8, binary", "biencoder 0.1.0", "2026-01-02 03:04 UTC"):
        assert fact in words


def test_the_way_to_repeat_it_is_a_list_of_commands(page: Page) -> None:
    lines = page.section("repeat").first("pre").text.splitlines()
    assert lines[:2] == [
        "# in biencoder's source folder of release 0.1.0",
        "pip install -c constraints.txt -e '.[eval]'",
    ]
    assert (
        "biencoder evaluate --model mini --data FOLDER --dimensions 128,384 "
        "--precision float32,int8,binary"
    ) in lines
    assert "biencoder evaluate --model mini --aligned FOLDER --languages de,en --no-bm25" in lines


def test_the_way_to_repeat_it_writes_every_option_back(tmp_path: Path) -> None:
    read = {"source": "/home/someone/data", "split": "dev", "same_id": "keep"}
    page = report(
        tmp_path,
        made([0.5], system="mini, 128 dimensions", model={"dimensions": 128}, settings=read),
        made([0.5], system="BM25", model={"k1": 2.0, "query_weights": True}, settings=read),
    )
    text = page.section("repeat").first("pre").text
    assert (
        "biencoder evaluate --model mini --data FOLDER --dimensions 128 --split dev --same-id keep "
        "--bm25-k1 2.0 --bm25-query-weights"
    ) in text.splitlines()
    assert "someone" not in text, "a path is the reader's own"


def test_results_of_other_options_have_a_command_of_their_own(tmp_path: Path) -> None:
    dev = made([0.5], dataset="dev", settings={"split": "dev"})
    other = made([0.5], system="mini, int8", model={"precision": "int8"}, dataset="dev")
    lines = report(tmp_path, dev, other).section("repeat").first("pre").text.splitlines()
    assert "biencoder evaluate --model mini --data FOLDER --split dev --no-bm25" in lines
    assert "biencoder evaluate --model mini --data FOLDER --precision int8 --no-bm25" in lines


def test_an_instruction_is_written_back(tmp_path: Path) -> None:
    large = {"name": "llama-embed-nemotron-8b", "dimensions": 4096}
    told = {"query": "Instruct: Find it's like\nQuery: ", "document": ""}
    page = report(tmp_path, made([0.5], system="8b", model={**large, "prompts": told}))
    text = page.section("repeat").first("pre").text
    line = next(line for line in text.splitlines() if line.startswith("biencoder evaluate"))
    words = shlex.split(line)
    assert words[words.index("--instruction") + 1] == "Find it's like"


def test_a_benchmark_is_repeated_with_its_languages_tasks_and_form(tmp_path: Path) -> None:
    whole = benchmark("MIRACL, languages deu+eng", {"MIRACLRetrieval": 0.5}, "ndcg_at_10")
    asked = {"benchmark": "MIRACL", "languages": ["deu", "eng"], "tasks": ["MIRACLRetrieval"]}
    told = replace(whole, asked=asked, model={**whole.model, "prompting": "plain"})
    suite = benchmark("suite qa", {"TechQA": 0.5}, "recall_at_5")
    suite = replace(suite, asked={"suite": "qa", "folder": ["TechQA"], "split": "dev"})
    page = with_benchmark(tmp_path, told, whole, suite)
    lines = page.section("repeat").first("pre").text.splitlines()
    start = "biencoder evaluate --model llama-nemotron-embed-1b-v2"
    assert (
        f"{start} --benchmark MIRACL --languages deu,eng --tasks MIRACLRetrieval "
        "--prompting plain --dimensions 2048"
    ) in lines
    assert f"{start} --benchmark MIRACL --languages deu,eng --dimensions 2048" in lines
    assert f"{start} --suite qa --folder TechQA=FOLDER --split dev --dimensions 2048" in lines


def test_a_benchmarks_scores_say_their_data_their_mteb_and_their_date(tmp_path: Path) -> None:
    result = benchmark("NanoBEIR", {"NanoNQ": 0.5, "NanoOld": 0.25}, "ndcg_at_10")
    new, old = result.tasks
    new = replace(new, data="0123abc", mteb="2.12.7", conditions={"date": "2026-01-01 09:00 UTC"})
    page = with_benchmark(tmp_path, replace(result, tasks=(new, old)))
    _, origins = page.section("benchmarks").all("table")
    assert rows(origins) == [
        ["NanoNQ", "llama-nemotron-embed-1b-v2, 2048 dimensions", "0123abc", "2.12.7",
         "2026-01-01 09:00 UTC"]
    ]  # fmt: skip


def test_measured_and_printed_are_two_groups_of_columns(tmp_path: Path) -> None:
    suite = benchmark("suite mlqa", {"MLQARetrieval": 0.7712}, "recall_at_5")
    part = with_benchmark(tmp_path, suite).section("cards")
    table = part.first("table", "beside")
    groups = [cell.words for cell in table.first("tr").children]
    assert groups == ["", "measured here", "printed on the card"]
    heads = [cell.words for cell in table.first("thead").all("tr")[1].children]
    assert heads[1] == "llama-nemotron-embed-1b-v2, 2048 dimensions"
    # The card prints this model as llama-3.2-nv-embedqa-1b-v2, its former name: 79.86.
    printed = dict(zip(heads, rows(table)[0], strict=True))
    assert rows(table)[0][:2] == ["MLQA", "77.12"]
    assert printed["llama-3.2-nv-embedqa-1b-v2 (2048)"] == "79.86"
    assert printed["llama-3.2-nv-embedqa-1b-v2 (384)"] == "71.61"
    assert printed["BM25"] == "13.01"
    assert [cell.words for cell in table.all("td", "here")] == ["77.12"]
    assert "at most 8,192 tokens, 2,048 dimensions" in part.words
    assert "a note of the suite" in part.words


def test_a_mean_that_lacks_a_set_or_another_measure_stands_beside_no_printed_one(
    tmp_path: Path,
) -> None:
    part = with_benchmark(
        tmp_path / "part", benchmark("suite qa", {"NQ": 0.5}, "recall_at_5", missing="TechQA")
    )
    assert "None of the sets measured here" in part.section("cards").words
    assert "1 of 2 tasks" in part.section("benchmarks").words
    assert ["suite qa", "TechQA: no data offline"] in [
        row[:2] for row in rows(part.section("left-out").first("table"))
    ]
    other = with_benchmark(
        tmp_path / "other", benchmark("suite mlqa", {"MLQARetrieval": 0.5}, "ndcg_at_10")
    )
    assert "None of the sets measured here" in other.section("cards").words


def test_the_domains_of_bright_meet_their_printed_rows(tmp_path: Path) -> None:
    tasks = {"BrightEarthScienceRetrieval": 0.3, "BrightTheoremQATheoremsRetrieval": 0.1}
    page = with_benchmark(
        tmp_path,
        benchmark("BRIGHT(v1.1, short)", tasks, "ndcg_at_10", missing="BrightPonyRetrieval"),
    )
    table = page.section("cards").first("table", "beside")
    assert [row[:2] for row in rows(table)] == [
        ["earth science", "30.0"],
        ["theoremqa theorems", "10.0"],
    ]
    heads = [cell.words for cell in table.first("thead").all("tr")[1].children]
    printed = dict(zip(heads, rows(table)[0], strict=True))
    assert printed["llama-nv-embed-reasoning-3b"] == "60.2"
    names = [head.words for head in page.section("domains").all("h3")]
    assert names == list(tasks)


def test_a_long_hash_is_shown_by_twelve_digits_with_the_whole_of_it_behind(tmp_path: Path) -> None:
    digest = "0123456789abcdef" * 4
    conditions = report(tmp_path, made([0.5], digest=digest)).section("conditions")
    assert "0123456789ab" in conditions.words
    assert "0123456789abc" not in conditions.words
    (code,) = [e for e in conditions.all("code") if e.attributes.get("title")]
    assert (code.words, code.attributes["title"]) == ("0123456789ab", digest)


def test_the_picture_of_a_difference_has_its_scale_its_zero_its_interval_and_its_value(
    tmp_path: Path,
) -> None:
    page = report(tmp_path, made([0.9, 0.2, 0.8]), made([0.1, 0.3, 0.2], system="BM25"))
    picture = page.section("differences").first("svg", "difference")
    kinds = [each.attributes["class"] for each in picture.children]
    assert kinds == ["grid", "axis", "line s0", "line s0", "line s0", "mark s0"]
    scale, zero, interval, low, high, value = (each.attributes for each in picture.children)
    assert (interval["x1"], interval["x2"]) == (low["x1"], high["x1"])
    assert scale["x1"] == "6"
    assert scale["x2"] == "138"
    assert float(str(zero["x1"])) == 72
    low_, middle, high_ = (float(str(x)) for x in (low["x1"], value["cx"], high["x1"]))
    assert 6 <= low_ < middle < high_ <= 138
