"""README.md's tables of what works with which MLflow, against what is seen."""

import compat
import pytest
from compat import DIRECTLY, KINDS, TRACKING, Kind, Seen


@pytest.fixture(scope="module")
def seen() -> dict[Kind, dict[str, Seen]]:
    """What the program came to with each server."""
    return compat.measure()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind).replace(" ", "-").replace("/", "-"))
def test_the_same_program_works_with_each_mlflow(kind: Kind, seen: dict[Kind, dict[str, Seen]]) -> None:
    assert list(seen[kind]) == list(compat.OPERATIONS)
    assert compat.unexplained(kind, seen[kind]) == {}


def test_all_works_but_what_a_server_does_not_have(seen: dict[Kind, dict[str, Seen]]) -> None:
    refused = {
        (kind, operation): one
        for kind, outcomes in seen.items()
        for operation, one in outcomes.items()
        if not compat.works(kind, operation, one) and not compat.is_missing(kind, operation)
    }
    streams, lists = compat.STREAMS, compat.ASK_NO_MODEL
    for (kind, operation), one in refused.items():
        assert one.answer == [], (kind, operation)
        if operation in streams:
            assert kind.version in compat.WITHOUT_STREAMS and one.status == "UNSUPPORTED"
            assert "cannot stream" in one.message and "call mlflow_gateway_send() instead" in one.message
        elif operation in lists:
            assert compat.has_no_list(kind) and one.status == "UNSUPPORTED"
            assert "no list of models" in one.message
        else:
            assert (kind, operation) == (DIRECTLY, "embeddings")
    counts = [sum(operation in group for _, operation in refused) for group in (streams, lists, ("embeddings",))]
    assert counts == [len(streams) * len(compat.WITHOUT_STREAMS), len(lists) * sum(map(compat.has_no_list, KINDS)), 1]


def test_each_prompt_is_posted_once(seen: dict[Kind, dict[str, Seen]]) -> None:
    """To the server, and by that to its model; but for a prompt that one path refuses before another one takes it."""
    for kind, outcomes in seen.items():
        for operation, one in outcomes.items():
            if one.status in compat.SUCCESSES:
                assert one.asked == compat.right_count(operation), (kind, operation, one)
                assert one.posted == one.asked + compat.is_refused_first(kind, operation), (kind, operation, one)


def test_route_or_path_that_does_not_exist_is_not_found(seen: dict[Kind, dict[str, Seen]]) -> None:
    for kind, outcomes in seen.items():
        for operation, one in outcomes.items():
            if compat.is_missing(kind, operation) and kind != DIRECTLY:
                assert one.status in ("NOT_FOUND", "BAD_REQUEST") and one.asked == 0, (kind, operation, one)
    assert seen[DIRECTLY]["gemini"].status == "NOT_FOUND"


def test_the_readme_has_this_table(seen: dict[Kind, dict[str, Seen]]) -> None:
    table = compat.table_of(compat.README.read_text())
    assert table == compat.table(seen), "python3 tests/compat.py --write puts the new one there"


def test_a_wrong_answer_does_not_work() -> None:
    tracking = next(kind for kind in KINDS if kind.command == TRACKING)
    for kind in (KINDS[0], tracking):
        for operation in compat.OPERATIONS:
            if compat.is_missing(kind, operation):
                continue
            right, count = compat.right_answer(kind, operation), compat.right_count(operation)
            assert compat.works(kind, operation, Seen("OK", 0, "", right, count, count))
            for wrong in (
                Seen("OK", 0, "", [*right, "more"], count, count),
                Seen("OK", 0, "", [*right[:-1], "else"], count, count),
                Seen("OK", 0, "", right, count + 1, count),
                Seen("OK", 0, "", right, count + 1, count + 1),
            ):
                assert compat.unexplained(kind, {operation: wrong}) == {operation: wrong}
    kept = Seen("STREAM_END", 0, "", compat.RIGHT_ANSWERS["reasoning"], 1, 1)
    assert compat.unexplained(tracking, {"reasoning": kept}) == {"reasoning": kept}, "the note would be wrong"
    failed = Seen("SERVER_ERROR", 502, "", [], 1, 1)
    assert compat.unexplained(KINDS[0], {"stream": failed}) == {"stream": failed}


def test_a_new_table_takes_the_place_of_the_old_one() -> None:
    readme = "# before\n<!-- compat -->\nold\n<!-- /compat -->\nafter\n"
    new = compat.with_table(readme, "| new |\n")
    assert new == "# before\n<!-- compat -->\n\n| new |\n\n<!-- /compat -->\nafter\n"
    assert compat.table_of(new) == "| new |\n"
    assert compat.with_table(new, "| new |\n") == new
    assert compat.table_of("no place") is None
