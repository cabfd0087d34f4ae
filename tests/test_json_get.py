"""mlflow_gateway_json_get(), _count() and _quote(): values by pointer, invalid JSON, and quoted strings.

Python's parser is the reference.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Optional

import pytest
from support.builds import CHECKED, SHARED, Build

DEEP = 10_000

VALID = [
    *["[]", "{}", "0", "-0", "-1", "1.0", "0.1e1", "1E1", "1e+1", "1E-1", "true", "false", "null", '""', '"a"', " [ ] "],
    *["[1]", "[1,2]", "[1 , 2]", "\t[\n1\r]\n", '{"a":1}', '{"":0}', '{"a":{"b":[{}]}}', "[[],{},[[]]]", "[null,1]"],
    *['{"a":1,"a":2}', '{"a":{"b":1},"a":3}', '{"a":1,"\\u0061":[2]}', '{"a":[1],"a":{}}', '{"a/b":1,"m~n":2,"~1":3}'],
    *['"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\u00e9\\u0000x"', '"\\ud83d\\ude00"', '"\\uD83D\\uDE00"', '"\u00e9\u2028\U0001f600"'],
    *['"\\ud83d"', '"\\ude00x"', '"\\ude00\\ud83d"', '"\\ud83d\\ud83d\\ude00"', '{"\\ud800":1}', '["\\udbff\\udfff\\udfff"]'],
    *['"\u007f"', '"\ufeff"', '"[{,:}]"', '{"]":"}","\\"":"\\\\"}', '["\\\\"]', '["a\\\\\\"","b"]', '"//"', '"/*"'],
    *["123456789012345678901234567890", "-1.7976931348623157e308", "1e-400", "0.00000000000000000000000001"],
    *['{"0":"zero","-":"minus","00":1," ":2,"%25":3,"^":4,"|":5}', '[["a",["b"]],{"0":{"1":"x"}}]', '"\U0010ffff"'],
]  # fmt: skip

INVALID = [
    *["", " ", "\n", "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[1,,2]", "[1 2]", "[1}", "{]", "[]]", "{}}", "[1]2"],
    *['{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{"a" 1}', '{"a"::1}', "{1:2}", "{a:1}", "{'a':1}", '{"a":1 "b":2}'],
    *['{null:1}', '{"a":1,"b"}', '{,"a":1}', "[a", "nul", "nullx", "NULL", "True", "fals", "tru e", "undefined", "None"],
    *["NaN", "-NaN", "Infinity", "-Infinity", "+1", "01", "-01", "00", "1.", ".1", "-.1", "1.e1", "1e", "1e+", "1e1.5", "-"],
    *["0x1", "1_000", "1 000", "1a", "--1", "- 1", "1e 1", "0e", "1\uff11", "\u0661"],
    *['"', '"a', '"a\\', '"\\"', '"\\a"', '"\\x41"', '"\\u"', '"\\u12"', '"\\u123g"', '"\\u 123"', '"\\U0041"', "'a'", "a"],
    *['"\n"', '"\t"', '"\0"', '"\x1f"', '"a\rb"', '"\\\n"', '["a', '"a" "b"', '"a"b', "`a`", '""""'],
    *["\ufeff1", "1\ufeff", "\u00a01", "\u2028[]", "[]\f", "\v1", "1\0", "\0", "/**/1", "1//", "#1", "[1]/**/", "<html>"],
    *["[" * 3, '{"a":' * 3, '["a"' + "]" * 2, "[" * DEEP, '{"a":' * DEEP, "[" * DEEP + "]" * (DEEP - 1)],
]  # fmt: skip

NOT_POINTERS = {"a": None, "#/a": None, "/~": 1, "/a~2": 2, "/~0/~": 4, "~0~": 2}
"""Invalid pointers, and the offset of their wrong "~"."""

MISSING = {
    '{"a":[1,{"b":null}],"s":"[1]"}': [
        *["/b", "/a/2", "/a/-", "/a/00", "/a/01", "/a/-1", "/a/+1", "/a/1e0", "/a/", "/a/1/b/c", "/s/0", "//", "/A", "/ "],
        "/a/18446744073709551616",
    ],
    "[]": ["/0", "/-", "/"],
    '""': ["/", "/0"],
    "null": ["/", "/null"],
}  # fmt: skip

RFC_6901 = r'{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}'
"""The document of RFC 6901, section 5, and the values of its pointers."""
RFC_6901_FINDS = {
    **{"": RFC_6901, "/foo": '["bar","baz"]', "/foo/0": "bar", "/": "0", "/a~1b": "1", "/c%d": "2", "/e^f": "3"},
    **{"/g|h": "4", "/i\\j": "5", '/k"l': "6", "/ ": "7", "/m~0n": "8"},
}

KINDS = {type(None): 1, bool: 2, int: 3, float: 3, str: 4, list: 5, dict: 6}


def hexadecimal(text: str) -> str:
    return text.encode("utf-8").hex() or "-"


def run(commands: Sequence[tuple[str, ...]], build: Build = SHARED) -> list[dict]:
    lines = [" ".join((name, *map(hexadecimal, texts))) for name, *texts in commands]
    done = build.run("json_values.c", input="".join(f"{line}\n" for line in lines))
    assert (done.returncode, done.stderr) == (0, "")
    outcomes = [json.loads(line) for line in done.stdout.split("\n")[:-1]]
    assert len(outcomes) == len(commands)
    return outcomes


def loaded(document: str) -> Any:
    """Parses with Python, without the constants that are not JSON."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(document, parse_constant=refuse)


def without_halves(text: str) -> str:
    """Replaces unpaired surrogates by U+FFFD."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def everywhere(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the pointer of each value within a value, and the value."""
    yield pointer, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        token = without_halves(str(name)).replace("~", "~0").replace("/", "~1")
        yield from everywhere(item, f"{pointer}/{token}")


@pytest.mark.parametrize("build", CHECKED, ids=lambda build: build.name)
def test_every_value_equals_that_of_pythons_parser(build: Build) -> None:
    values = [
        (document, *value) for document in VALID for value in everywhere(loaded(document)) if "\0" not in value[0]
    ]
    assert len(values) > 100
    gets = run([("get", document, pointer) for document, pointer, _ in values], build)
    counts = run([("count", document, pointer) for document, pointer, _ in values], build)
    for (document, pointer, value), got, counted in zip(values, gets, counts):
        where = (document, pointer)
        assert (got["status"], got["kind"]) == ("OK", KINDS[type(value)]), where
        if isinstance(value, str):
            assert got["text"] == without_halves(value), where
        else:
            assert loaded(got["text"]) == value and got["text"] in document, where
        if isinstance(value, (list, dict)):
            assert (counted["status"], counted["count"]) == ("OK", len(value)), where
        else:
            assert (counted["status"], counted["count"], counted["message"]) == ("NO_VALUE", 0, ""), where


def test_pointers_of_rfc_6901_find_their_values() -> None:
    outcomes = run([("get", RFC_6901, pointer) for pointer in RFC_6901_FINDS])
    assert [outcome["text"] for outcome in outcomes] == list(RFC_6901_FINDS.values())


def test_numbers_are_returned_as_written() -> None:
    numbers = ["-0", "1.50", "1E+07", "123456789012345678901234567890", "0.1e-999", "1e400"]
    outcomes = run([("get", f"[0, {number} ]", "/1") for number in numbers])
    assert [(outcome["kind"], outcome["text"]) for outcome in outcomes] == [(3, number) for number in numbers]


@pytest.mark.parametrize("build", CHECKED, ids=lambda build: build.name)
def test_invalid_json_is_rejected_even_outside_the_pointer(build: Build) -> None:
    for document in INVALID:
        if len(document) < 1000:
            with pytest.raises(ValueError):
                loaded(document)
    # Errors are found even in parts that the pointer does not reach.
    documents = [*INVALID, *(f'{{"a":1,"b":{document}}}' for document in INVALID if document.strip(" \n"))]
    documents = [document for document in documents if document not in ('{"a":1,"b":}}', '{"a":1,"b":{}}}')]
    for command in ("get", "count"):
        for document, outcome in zip(documents, run([(command, document, "/a") for document in documents], build)):
            assert (outcome["status"], outcome["text"], outcome["kind"]) == ("INVALID_ARGUMENT", None, 0), document
            assert re.search(r"json is not JSON: .*\boffset \d+", outcome["message"]), outcome


def test_error_names_the_offset_of_the_first_wrong_byte() -> None:
    ends, wrong = "it ends too early, at offset {}", "the byte at offset {} is wrong"
    values = {
        '["\u00e9", 1,]': wrong.format(9),
        '{"a":1': ends.format(6),
        '"\u00e9\n"': wrong.format(3),
        "": ends.format(0),
    }
    outcomes = run([("get", document, "") for document in values])
    assert [outcome["message"] for outcome in outcomes] == [
        f"the argument json is not JSON: {value}" for value in values.values()
    ]


def test_invalid_pointer_is_rejected() -> None:
    for (pointer, at), outcome in zip(NOT_POINTERS.items(), run([("get", "{}", pointer) for pointer in NOT_POINTERS])):
        assert outcome["status"] == "INVALID_ARGUMENT"
        assert ('"/"' if at is None else f"offset {at}") in outcome["message"], outcome


def test_missing_value_is_no_value_without_an_error() -> None:
    commands = [(name, document, pointer) for document, all in MISSING.items() for pointer in all for name in ("get", "count")]
    for command, outcome in zip(commands, run(commands)):
        expected = {"status": "NO_VALUE", "kind": 0, "count": 0, "text": None, "message": ""}
        assert outcome == expected, command


@pytest.mark.parametrize("build", CHECKED, ids=lambda build: build.name)
def test_ten_thousand_levels_are_read(build: Build) -> None:
    lists, objects = "[" * DEEP + '"x"' + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP
    outcomes = run([("get", lists, ""), ("get", lists, "/0" * 100), ("get", objects, "/a" * 100)], build)
    within = objects[5 * 100 : -100]
    assert [(outcome["kind"], outcome["text"]) for outcome in outcomes] == [(5, lists), (5, lists[100:-100]), (6, within)]
    deepest = run([("get", lists, "/0" * DEEP), ("get", objects, "/a" * DEEP)])
    assert [(outcome["kind"], outcome["text"]) for outcome in deepest] == [(4, "x"), (3, "1")]


def test_quoted_strings_read_back() -> None:
    texts: list[Optional[str]] = ["", "a", '"\\/\b\f\n\r\t', "\0x\x1f\x7f", "\u00e9\u2028\U0001f600\ufffd", "x" * 100_000, "\0" * 999]
    for text, outcome in zip(texts, run([("quote", text) for text in texts])):
        assert (outcome["status"], json.loads(outcome["text"])) == ("OK", text)
        assert outcome["text"].isprintable() or "\x7f" in text or "\u2028" in text
