"""README.md's table of what works with which MLflow, against what is seen."""

import compat
import pytest
from compat import KINDS, TRACKING, Kind, Seen


@pytest.fixture(scope="module")
def seen() -> dict[Kind, dict[str, Seen]]:
    """What the program came to with each server."""
    return compat.measure()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind).replace(" ", "-"))
def test_the_same_program_works_with_each_mlflow(kind: Kind, seen: dict[Kind, dict[str, Seen]]) -> None:
    assert list(seen[kind]) == list(compat.OPERATIONS)
    assert compat.unexplained(kind, seen[kind]) == {}


def test_all_works_but_streams_before_2_10(seen: dict[Kind, dict[str, Seen]]) -> None:
    refused = {
        (kind.version, operation): one
        for kind, outcomes in seen.items()
        for operation, one in outcomes.items()
        if not compat.works(kind, operation, one)
    }
    assert set(refused) == {
        (version, operation) for version in compat.WITHOUT_STREAMS for operation in ("stream", "stream of completions")
    }
    for one in refused.values():
        assert (one.status, one.answer) == ("UNSUPPORTED", [])
        assert "cannot stream" in one.message and "ask for the whole answer" in one.message


def test_the_readme_has_this_table(seen: dict[Kind, dict[str, Seen]]) -> None:
    table = compat.table_of(compat.README.read_text())
    assert table == compat.table(seen), "python3 tests/compat.py --write puts the new one there"


def test_a_wrong_answer_does_not_work() -> None:
    for kind in (KINDS[0], TRACKING):
        for operation in compat.OPERATIONS:
            right = compat.right_answer(kind, operation)
            assert compat.works(kind, operation, Seen("OK", 0, "", right))
            for wrong in ([*right, "more"], [*right[:-1], "else"]):
                one = Seen("OK", 0, "", wrong)
                assert compat.unexplained(kind, {operation: one}) == {operation: one}
    failed = Seen("SERVER_ERROR", 502, "", [])
    assert compat.unexplained(KINDS[0], {"stream": failed}) == {"stream": failed}


def test_a_new_table_takes_the_place_of_the_old_one() -> None:
    readme = "# before\n<!-- compat -->\nold\n<!-- /compat -->\nafter\n"
    new = compat.with_table(readme, "| new |\n")
    assert new == "# before\n<!-- compat -->\n\n| new |\n\n<!-- /compat -->\nafter\n"
    assert compat.table_of(new) == "| new |\n"
    assert compat.with_table(new, "| new |\n") == new
    assert compat.table_of("no place") is None
