"""Compares what the documentation shows with what came back.

Ids of things just made, times, keys and counters differ from run to run, and are compared by form; but two places that
show one id must have got one id, and two that show two must have got two.
"""

import json
import re

ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b")
LEFT_OUT = "…"
_VARYING = [
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\dZ"), "<time>"),
    (re.compile(r"\b(ak[op]_)\w{38}\b"), r"\1<key>"),
    (re.compile(r"\b(ak[op]_)\w{6}\b"), r"\1<prefix>"),
    (re.compile(r"\bcur_[\w-]{52}"), "<cursor>"),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/]{43}="), "<secret>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b"), "<random id>"),
]
_COUNTERS = ("x-ratelimit-remaining", "x-ratelimit-reset")


class Comparison:
    """The comparisons of one document."""

    def __init__(self) -> None:
        self._actual_of: dict[str, str] = {}
        self._shown_of: dict[str, str] = {}

    def check(self, language: str, shown: str, actual: str) -> None:
        """Fail unless the block shows what came back."""
        {"http": self._http, "json": self._json, "text": self._text}[language](shown, actual)

    def _text(self, shown: str, actual: str) -> None:
        shown_lines, actual_lines = _lines(shown), _lines(actual)
        assert len(shown_lines) == len(actual_lines), actual
        for shown_line, actual_line in zip(shown_lines, actual_lines, strict=True):
            self._same(shown_line, actual_line)

    def _http(self, shown: str, actual: str) -> None:
        shown_head, _, shown_body = shown.partition("\n\n")
        actual_head, _, actual_body = actual.replace("\r\n", "\n").partition("\n\n")
        shown_status, *shown_headers = shown_head.splitlines()
        actual_status, *actual_headers = actual_head.splitlines()
        assert shown_status == actual_status, f"shown: {shown_status}, came: {actual}"
        came = dict(line.lower().split(": ", 1) for line in actual_headers)
        for line in shown_headers:
            name, value = line.split(": ", 1)
            assert name.lower() in came, f"no {name} in {actual_head}"
            if name.lower() in _COUNTERS:
                assert came[name.lower()].isdigit()
            else:
                self._same(value.lower(), came[name.lower()])
        if shown_body.strip():
            self._json(shown_body, actual_body)

    def _json(self, shown: str, actual: str) -> None:
        shown_values, actual_values = _documents(shown), _documents(actual)
        assert len(shown_values) == len(actual_values), actual
        for shown_value, actual_value in zip(shown_values, actual_values, strict=True):
            self._value(shown_value, actual_value)

    def _value(self, shown: object, actual: object) -> None:
        if isinstance(shown, str) and isinstance(actual, str):
            self._same(shown, actual)
        elif isinstance(shown, dict) and isinstance(actual, dict):
            names = [name for name in shown if name != LEFT_OUT]
            assert LEFT_OUT in shown or names == list(actual), actual
            assert set(names) <= set(actual), actual
            for name in names:
                self._value(shown[name], actual[name])
        elif isinstance(shown, list) and isinstance(actual, list):
            assert len(shown) == len(actual), actual
            for shown_item, actual_item in zip(shown, actual, strict=True):
                self._value(shown_item, actual_item)
        else:
            assert (type(shown), shown) == (type(actual), actual), f"shown: {shown!r}, came: {actual!r}"

    def _same(self, shown: str, actual: str) -> None:
        assert _form(shown) == _form(actual), f"shown: {shown!r}, came: {actual!r}"
        for one, other in zip(ID.findall(shown), ID.findall(actual), strict=True):
            assert self._actual_of.setdefault(one, other) == other, f"{one} stands for two ids"
            assert self._shown_of.setdefault(other, one) == one, f"{one} and another stand for one id"


def _form(text: str) -> str:
    text = ID.sub("<id>", text)
    for pattern, name in _VARYING:
        text = pattern.sub(name, text)
    return text


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def _documents(text: str) -> list[object]:
    decoder, position, found = json.JSONDecoder(), 0, []
    text = text.strip()
    while position < len(text):
        document, position = decoder.raw_decode(text, position)
        found.append(document)
        position += len(text[position:]) - len(text[position:].lstrip())
    return found
