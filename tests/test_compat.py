"""README.md's compatibility tables equal the results with real servers."""

import pytest
from support import compat
from support.compat import KINDS, TRACKING, WITHOUT_GATEWAY, Kind, Result


@pytest.fixture(scope="module")
def compat_results() -> dict[Kind, dict[str, Result]]:
    """The results with each server."""
    return compat.measure()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind).replace(" ", "-").replace("/", "-"))
def test_every_result_with_each_mlflow_version_is_as_documented(
    kind: Kind, compat_results: dict[Kind, dict[str, Result]]
) -> None:
    assert list(compat_results[kind]) == list(compat.OPERATIONS)
    assert compat.unexplained(kind, compat_results[kind]) == {}


def test_only_operations_that_a_server_lacks_fail(compat_results: dict[Kind, dict[str, Result]]) -> None:
    failed = {
        (kind, operation): one
        for kind, outcomes in compat_results.items()
        for operation, one in outcomes.items()
        if not compat.works(kind, operation, one) and not compat.is_missing(kind, operation)
    }
    streams, lists = compat.STREAMS, compat.WITHOUT_MODEL
    for (kind, operation), one in failed.items():
        assert one.response == [], (kind, operation)
        if operation in streams:
            assert kind.version in compat.WITHOUT_STREAMS and one.status == "UNSUPPORTED"
            assert "cannot stream" in one.message and "call mlflow_gateway_send() instead" in one.message
        elif operation in lists:
            assert compat.has_no_list(kind) and one.status == "UNSUPPORTED"
            assert "no list of models" in one.message
        else:
            assert (kind, operation) == (WITHOUT_GATEWAY, "embeddings")
    counts = [sum(operation in group for _, operation in failed) for group in (streams, lists, ("embeddings",))]
    assert counts == [len(streams) * len(compat.WITHOUT_STREAMS), len(lists) * sum(map(compat.has_no_list, KINDS)), 1]


def test_every_prompt_is_posted_once(compat_results: dict[Kind, dict[str, Result]]) -> None:
    """To the server and to its model, except for a prompt that one path refuses before another one takes it."""
    for kind, outcomes in compat_results.items():
        for operation, one in outcomes.items():
            if one.status in compat.SUCCESSES:
                assert one.model_requests == compat.expected_model_requests(operation), (kind, operation, one)
                assert one.posts == one.model_requests + compat.is_refused_first(kind, operation), (
                    kind,
                    operation,
                    one,
                )


def test_missing_route_or_path_is_not_found(compat_results: dict[Kind, dict[str, Result]]) -> None:
    for kind, outcomes in compat_results.items():
        for operation, one in outcomes.items():
            if compat.is_missing(kind, operation) and kind != WITHOUT_GATEWAY:
                assert one.status in ("NOT_FOUND", "BAD_REQUEST") and one.model_requests == 0, (kind, operation, one)
    assert compat_results[WITHOUT_GATEWAY]["gemini"].status == "NOT_FOUND"


def test_readme_has_the_current_tables(compat_results: dict[Kind, dict[str, Result]]) -> None:
    table = compat.table_of(compat.README.read_text())
    assert table == compat.table(compat_results), "python3 tests/support/compat.py --write puts the new one there"


def test_unexpected_response_is_unexplained() -> None:
    tracking = next(kind for kind in KINDS if kind.command == TRACKING)
    for kind in (KINDS[0], tracking):
        for operation in compat.OPERATIONS:
            if compat.is_missing(kind, operation):
                continue
            right, count = compat.expected_response(kind, operation), compat.expected_model_requests(operation)
            assert compat.works(kind, operation, Result("OK", 0, "", right, count, count))
            for wrong in (
                Result("OK", 0, "", [*right, "more"], count, count),
                Result("OK", 0, "", [*right[:-1], "else"], count, count),
                Result("OK", 0, "", right, count + 1, count),
                Result("OK", 0, "", right, count + 1, count + 1),
            ):
                assert compat.unexplained(kind, {operation: wrong}) == {operation: wrong}
    kept = Result("STREAM_END", 0, "", compat.EXPECTED["reasoning"], 1, 1)
    assert compat.unexplained(tracking, {"reasoning": kept}) == {"reasoning": kept}, "the note is wrong"
    failed = Result("SERVER_ERROR", 502, "", [], 1, 1)
    assert compat.unexplained(KINDS[0], {"stream": failed}) == {"stream": failed}


def test_new_tables_replace_the_old_ones() -> None:
    readme = "# before\n<!-- compat -->\nold\n<!-- /compat -->\nafter\n"
    new = compat.with_table(readme, "| new |\n")
    assert new == "# before\n<!-- compat -->\n\n| new |\n\n<!-- /compat -->\nafter\n"
    assert compat.table_of(new) == "| new |\n"
    assert compat.with_table(new, "| new |\n") == new
    assert compat.table_of("no place") is None
