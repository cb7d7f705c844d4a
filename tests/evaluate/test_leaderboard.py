"""Votes, means and intervals: by hand, by scipy, and as the 8b's card and mteb have them."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from biencoder.errors import InputError
from biencoder.evaluate.cards import TABLES
from biencoder.evaluate.leaderboard import (
    Leaderboard,
    Standing,
    borda_votes,
    card_votes,
    leaderboard,
    models_named,
)
from biencoder.evaluate.score_table import SHIPPED, narrow, read_scores, read_types
from biencoder.evaluate.significance import paired_difference

OCTOBER, AUGUST = SHIPPED
FLORES = "FloresBitextMining"


@pytest.fixture(scope="module")
def october() -> Leaderboard:
    return leaderboard(read_scores(OCTOBER), read_types())


@pytest.fixture(scope="module")
def august() -> Leaderboard:
    return leaderboard(read_scores(AUGUST), read_types())


def by_name(board: Leaderboard) -> dict[str, Standing]:
    return {standing.model.split("/")[-1]: standing for standing in board.standings}


def written(folder: Path, text: str, name: str = "scores.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def ranked(folder: Path, text: str, **types: str) -> list[Standing]:
    return [*leaderboard(read_scores(written(folder, text)), types).standings]


# -- the published tables


def test_october_gives_the_seven_models_of_the_card_their_votes(october: Leaderboard) -> None:
    standings = by_name(october)
    votes = {
        "llama-embed-nemotron-8b": 39_269.0,
        "gemini-embedding-001": 39_061.5,
        "Qwen3-Embedding-8B": 39_062.0,
        "Qwen3-Embedding-4B": 38_801.0,
        "Qwen3-Embedding-0.6B": 37_132.0,
        "gte-Qwen2-7B-instruct": 36_874.5,
        "Linq-Embed-Mistral": 36_865.5,
    }
    assert {name: standings[name].votes for name in votes} == votes
    assert {standings[name].tasks for name in votes} == {130}
    assert (october.models, october.tasks) == (310, 131)
    assert standings["llama-embed-nemotron-8b"].rank == 1


def test_august_has_these_first_three(august: Leaderboard) -> None:
    assert [(line.rank, line.model, line.votes) for line in august.standings[:3]] == [
        (1, "microsoft/harrier-oss-v1-27b", 57_288.5),
        (2, "tencent/KaLM-Embedding-Gemma3-12B-2511", 56_859.0),
        (3, "nvidia/llama-embed-nemotron-8b", 56_710.5),
    ]
    assert august.models == 452


@pytest.mark.parametrize("name", SHIPPED)
def test_flores_kept_or_dropped_changes_only_the_votes_of_those_that_have_it(name: str) -> None:
    table = read_scores(name)
    left = narrow(table, read_types(), without=[FLORES])
    assert left.models == table.models
    gained = borda_votes(table.scores).sum(axis=1) - borda_votes(left.scores).sum(axis=1)
    has_flores = ~np.isnan(table.scores[:, table.tasks.index(FLORES)])
    np.testing.assert_array_equal(gained > 0, has_flores)
    assert 0 < has_flores.sum() < 20


def test_the_cards_votes_exceed_these_by_one_task_at_most(october: Leaderboard) -> None:
    on_card = card_votes(read_scores(OCTOBER))
    votes = {line.model: line.votes for line in october.standings}
    assert len(on_card) == 7
    assert on_card["nvidia/llama-embed-nemotron-8b"] == 39_573
    assert all(0 < on_card[model] - votes[model] <= october.models - 1 for model in on_card)


def test_the_card_is_set_beside_its_own_table_only(tmp_path: Path) -> None:
    table = read_scores(OCTOBER)
    text = gzip.decompress((TABLES / SHIPPED[OCTOBER]).read_bytes()).decode()
    assert card_votes(read_scores(written(tmp_path, text))) == card_votes(table)
    changed = text.replace("61.524", "61.525", 1)
    assert card_votes(read_scores(written(tmp_path, changed))) == {}
    assert card_votes(narrow(table, read_types(), without=["STS12"])) == {}
    assert card_votes(read_scores(AUGUST)) == {}


def test_means_are_over_one_set_of_tasks_that_is_told(october: Leaderboard) -> None:
    assert october.sparse == {FLORES: 12}
    assert october.mean_tasks == 130
    assert october.untyped == ()
    lines = by_name(october)
    # The card's means count one task more.
    for model, on_card in {
        "llama-embed-nemotron-8b": 69.46,
        "gemini-embedding-001": 68.37,
        "Qwen3-Embedding-8B": 70.58,
        "gte-Qwen2-7B-instruct": 62.51,
        "Linq-Embed-Mistral": 61.47,
    }.items():
        assert lines[model].mean_task == pytest.approx(on_card, abs=0.4)
    assert all((line.mean_task is None) == (line.tasks < 130) for line in october.standings)
    assert all((line.mean_type is None) == (line.mean_task is None) for line in october.standings)


def test_every_task_of_the_shipped_tables_has_a_type() -> None:
    types = read_types()
    for name in SHIPPED:
        assert set(read_scores(name).tasks) == set(types)
    assert len(set(types.values())) == 9


# -- votes


def test_votes_by_hand(tmp_path: Path) -> None:
    # Three models: 2, 1, 0 votes for places 1 to 3; the tie on the second task gives 1.5 each.
    lines = ranked(tmp_path, "model,x,y\na,90,50\nb,80,50\nc,70,40\n")
    assert [(line.model, line.votes) for line in lines] == [("a", 3.5), ("b", 2.5), ("c", 0.0)]


def test_a_missing_score_gives_no_vote_and_the_number_of_models_stays(tmp_path: Path) -> None:
    lines = ranked(tmp_path, "model,x,y\na,90,\nb,80,50\nc,,40\n")
    # x: a 2, b 1. y: b 2, c 1 (third of three models, second of two scores).
    assert {line.model: line.votes for line in lines} == {"a": 2.0, "b": 3.0, "c": 1.0}
    assert {line.model: line.tasks for line in lines} == {"a": 1, "b": 2, "c": 1}


def test_equal_votes_share_the_better_rank_and_say_so(tmp_path: Path) -> None:
    lines = ranked(tmp_path, "model,x,y\nd,1,1\nb,9,8\na,8,9\nc,2,2\n")
    assert [(line.rank, line.model, line.tied) for line in lines] == [
        (1, "a", True),
        (1, "b", True),
        (3, "c", False),
        (4, "d", False),
    ]


def test_scores_are_not_rounded_before_they_are_ranked(tmp_path: Path) -> None:
    lines = ranked(tmp_path, "model,x\na,70.00001\nb,70.00002\n")
    assert [(line.model, line.votes) for line in lines] == [("b", 1.0), ("a", 0.0)]


def test_a_model_without_any_score_does_not_count_as_a_model(tmp_path: Path) -> None:
    table = read_scores(written(tmp_path, "model,x,y\na,9,8\nb,,\nc,,7\n"))
    assert (table.models, table.without_score) == (("a", "c"), ("b",))
    narrowed = narrow(table, {}, tasks=["x"])
    assert (narrowed.models, narrowed.without_score) == (("a",), ("b", "c"))


@pytest.mark.parametrize("seed", range(5))
def test_votes_equal_scipys_ranks(seed: int) -> None:
    source = np.random.default_rng(seed)
    scores = source.integers(0, 12, (30, 17)).astype(np.float64)
    scores[source.random(scores.shape) < 0.3] = np.nan
    ranks = rankdata(-scores, axis=0, nan_policy="omit")
    np.testing.assert_array_equal(borda_votes(scores), np.nan_to_num(len(scores) - ranks))


# -- means


def test_means_by_hand(tmp_path: Path) -> None:
    first, second, third = ranked(
        tmp_path,
        "model,x,y,z\na,90,80,40\nb,60,50,\nc,30,10,20\n",
        x="STS", y="STS", z="Retrieval",
    )  # fmt: skip
    assert first.mean_task == pytest.approx(70)
    assert first.mean_type == pytest.approx(62.5)
    assert (second.model, second.mean_task, second.mean_type) == ("b", None, None)
    assert third.mean_task == pytest.approx(20)
    assert third.mean_type == pytest.approx(20)


def test_one_unknown_type_leaves_no_mean_over_types(tmp_path: Path) -> None:
    table = read_scores(written(tmp_path, "model,x,y\na,90,80\n"))
    board = leaderboard(table, {"x": "STS"})
    assert board.untyped == ("y",)
    assert board.standings[0].mean_type is None
    assert board.standings[0].mean_task == 85


def test_types_come_from_a_file_too(tmp_path: Path) -> None:
    file = written(tmp_path, "task,note,type\nMine,n,Own\nSTS12,n,Mine\n", "types.csv")
    types = read_types(Path(file))
    assert (types["Mine"], types["STS12"], types["STS13"]) == ("Own", "Mine", "STS")


# -- how sure


def tasks_won(wins: Sequence[bool]) -> str:
    heads = ",".join(f"t{number}" for number in range(len(wins)))
    rows = {
        "a": ",".join("9" if won else "1" for won in wins),
        "b": ",".join("5" for _ in wins),
    }
    return f"model,{heads}\n" + "".join(f"{name},{cells}\n" for name, cells in rows.items())


def test_a_clean_sweep_is_separable_and_a_narrow_lead_is_not(tmp_path: Path) -> None:
    sweep = ranked(tmp_path, tasks_won([True] * 20))
    narrow_lead = ranked(tmp_path, tasks_won([True] * 11 + [False] * 9))
    assert sweep[0].next is not None
    assert (sweep[0].next.model, sweep[0].next.lead, sweep[0].next.separable) == ("b", 20, True)
    assert sweep[0].next.interval == (20, 20)
    assert [line.rank_interval for line in sweep] == [(1, 1), (2, 2)]
    assert narrow_lead[0].next is not None
    assert (narrow_lead[0].next.lead, narrow_lead[0].next.separable) == (2, False)
    assert [line.rank_interval for line in narrow_lead] == [(1, 2), (1, 2)]
    assert sweep[1].next is None


def test_a_model_listed_alone_has_no_next(tmp_path: Path) -> None:
    table = read_scores(written(tmp_path, tasks_won([True] * 20)))
    (line,) = leaderboard(table, {}, only={"b"}).standings
    assert (line.rank, line.rank_interval, line.next) == (2, (2, 2), None)


def test_the_interval_of_a_lead_is_that_of_paired_differences(october: Leaderboard) -> None:
    table = read_scores(OCTOBER)
    votes = borda_votes(table.scores)
    for line in (october.standings[0], october.standings[3], october.standings[40]):
        assert line.next is not None
        assert line.next.interval is not None
        a, b = (votes[table.models.index(name)] for name in (line.next.model, line.model))
        paired = paired_difference(a, b)
        tasks = votes.shape[1]
        assert line.next.lead == pytest.approx(paired.difference * tasks)
        width = (paired.high - paired.low) * tasks
        expected = (paired.low * tasks, paired.high * tasks)
        assert line.next.interval == pytest.approx(expected, abs=0.06 * width)


def test_the_leader_of_august_is_separable_and_the_second_is_not(august: Leaderboard) -> None:
    first, second = (line.next for line in august.standings[:2])
    assert first is not None
    assert second is not None
    assert first.separable
    assert second.separable is False


def test_identical_models_are_tied_and_never_separable(tmp_path: Path) -> None:
    head = ",".join(f"t{number}" for number in range(8))
    rows = "".join(f"{name},{','.join('50' for _ in range(8))}\n" for name in "ab")
    first, second = ranked(tmp_path, f"model,{head}\n{rows}")
    assert (first.rank, second.rank) == (1, 1)
    assert first.next is not None
    assert first.next.interval == (0, 0)
    assert first.next.separable is False
    assert first.rank_interval == second.rank_interval == (1, 1)


def test_fewer_than_six_tasks_tell_nothing_apart(tmp_path: Path) -> None:
    five, six = (ranked(tmp_path, tasks_won([True] * count))[0] for count in (5, 6))
    assert five.next is not None
    assert (five.next.separable, five.next.interval, five.rank_interval) == (None, None, None)
    assert six.next is not None
    assert six.next.separable


def test_listing_fewer_models_changes_no_vote_and_no_rank(october: Leaderboard) -> None:
    table = read_scores(OCTOBER)
    only = models_named(table, ["Linq-Embed-Mistral", "nvidia/llama-embed-nemotron-8b"])
    first, second = leaderboard(table, read_types(), only=only).standings
    whole = by_name(october)
    for line in (first, second):
        other = whole[line.model.split("/")[-1]]
        assert (line.rank, line.votes) == (other.rank, other.votes)
        assert line.rank_interval == other.rank_interval
    assert first.next is not None
    assert first.next.model == second.model


# -- narrowing and reading


def test_tasks_are_chosen_by_name_or_type() -> None:
    table, types = read_scores(OCTOBER), read_types()
    retrieval = [task for task in table.tasks if types[task] == "Retrieval"]
    assert len(retrieval) == 18
    assert list(narrow(table, types, tasks=["Retrieval"]).tasks) == retrieval
    both = narrow(table, types, tasks=["Retrieval", "STS12"], without=["ArguAna"]).tasks
    assert set(both) == {*retrieval, "STS12"} - {"ArguAna"}
    assert narrow(table, types) is table


@pytest.mark.parametrize(
    ("name", "hint"), [("STS112", "STS12"), ("retrieval", "Retrieval"), ("zzzzzz", "such as")]
)
def test_an_unknown_task_is_met_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(InputError, match=f"no task or type '{name}'(.|\n)*{hint}"):
        narrow(read_scores(OCTOBER), read_types(), tasks=[name])


def test_an_unknown_model_is_met_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no model(.|\n)*mean Qwen3-Embedding-8B"):
        models_named(read_scores(OCTOBER), ["Qwen/Qwen3-Embeding-8B"])


def test_spreadsheets_marks_quotes_and_gzip_are_read(tmp_path: Path) -> None:
    text = '\ufeffx,model,"y, z"\r\n 9 ,"a, b",1e1\r\n\r\n,c,-3.5\r\n,,\r\n'
    table = read_scores(written(tmp_path, text))
    assert (table.models, table.tasks) == (("a, b", "c"), ("x", "y, z"))
    np.testing.assert_array_equal(table.scores, [[9, 10], [np.nan, -3.5]])
    packed = tmp_path / "scores.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    np.testing.assert_array_equal(read_scores(str(packed)).scores, table.scores)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("model,x\n", "names no model"),
        ("model\na\n", "has no task"),
        ("name,x\na,1\n", "no column 'model'(.|\n)*'name', 'x'"),
        ("model;x\na;1\n", "no column 'model'(.|\n)*commas"),
        ("model,x,x\na,1,2\n", "column 'x' 2 times"),
        ("model,x,\na,1,2\n", "column 3 has no name"),
        ("model,x,y\na,1,2\nb,1,fast\n", "line 3, column 'y': 'fast' is no number"),
        ("model,x\na,nan\n", "line 2, column 'x': nan is no score"),
        ("model,x\na,inf\n", "line 2, column 'x': inf is no score"),
        ("model,x\na,6950\n", "line 2, column 'x': 6950 is no score in percent"),
        ('model,x\na,"69,5"\n', "'69,5' is no number"),
        ("model,x\na,1\n\na,2\n", "line 4 names 'a' a second time, after line 2"),
        ("model,x\n,1\n", "line 2 names no model"),
        ("model,x\na,1,2\n", "line 2 has 3 cells, the first line 2"),
        ('model,x\n"a,1\n', "is no CSV"),
        ("model,x\na,\n", "holds no score"),
    ],
)
def test_a_faulty_table_is_one_clear_error(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_scores(written(tmp_path, text))


def test_files_that_are_no_text_or_not_there_are_errors(tmp_path: Path) -> None:
    latin, damaged = tmp_path / "latin.csv", tmp_path / "damaged.csv.gz"
    latin.write_bytes("model,caf\xe9\na,1\n".encode("latin-1"))
    damaged.write_bytes(gzip.compress(b"model,x\na,1\n" * 99)[:-20])
    for path, message in (
        (latin, "not UTF-8"),
        (damaged, "damaged gzip"),
        (tmp_path, "cannot be opened"),
        (tmp_path / "mmteb-2025", f"no shipped table(.|\n)*{OCTOBER}"),
    ):
        with pytest.raises(InputError, match=message):
            read_scores(str(path))


def test_a_types_file_needs_its_two_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'task' or 'type'"):
        read_types(Path(written(tmp_path, "task,kind\nx,y\n")))


def test_no_task_left_is_an_error() -> None:
    with pytest.raises(InputError, match="no task is left"):
        narrow(read_scores(OCTOBER), read_types(), tasks=["STS12"], without=["STS"])
