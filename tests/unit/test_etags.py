"""If-Match and If-None-Match as RFC 9110 writes them (sections 8.8.3, 13.1.1 and 13.1.2)."""

import pytest

from align.errors import ApiError
from align.web import etags
from align.web.http import Request


def request(*lines: str) -> Request:
    headers = [(name, line.encode("latin-1")) for line in lines for name in (b"if-match", b"if-none-match")]
    return Request({"headers": headers}, None, "test")


@pytest.mark.parametrize(
    ("lines", "strongly", "weakly"),
    [
        (["*"], True, True),
        ([" * "], True, True),
        (['"3"'], True, True),
        (['"4"'], False, False),
        (['"03"'], False, False),
        (['W/"3"'], False, True),
        (['w/"3"'], None, None),
        (['"1", "3"'], True, True),
        (['"1","3"'], True, True),
        (['"1" ,\t"3"'], True, True),
        (['"1"', '"3"'], True, True),
        ([', "3",,'], True, True),
        (['"1,3"'], False, False),
        (['"a,", "3"'], True, True),
        (['""'], False, False),
        (['"\xe9", "3"'], True, True),
        (["3"], None, None),
        (['"3'], None, None),
        (['"3" "4"'], None, None),
        (['"3", *'], None, None),
        ([""], None, None),
        ([","], None, None),
        (['"a b"'], None, None),
    ],
)
def test_a_condition_names_version_3(lines, strongly, weakly):
    if strongly is None:
        for read in (etags.if_match, etags.if_none_match):
            with pytest.raises(ApiError) as refused:
                read(request(*lines))
            assert refused.value.code == "validation_error"
        return
    assert etags.if_match(request(*lines)).match_strongly(etags.of_version(3)) == strongly
    assert etags.if_none_match(request(*lines)).match_weakly(etags.of_version(3)) == weakly
    assert etags.is_unchanged(etags.if_none_match(request(*lines)), 3) == weakly


def test_without_the_header_there_is_no_condition():
    assert etags.if_match(request()) is None
    assert etags.if_none_match(request()) is None
    assert not etags.is_unchanged(None, 3)
    etags.check_match(None, 3, "time entry")


def test_a_stale_tag_is_refused_and_the_present_one_is_not():
    condition = etags.if_match(request('"3"'))
    etags.check_match(condition, 3, "time entry")
    with pytest.raises(ApiError) as refused:
        etags.check_match(condition, 4, "time entry")
    assert (refused.value.status, refused.value.code) == (412, "precondition_failed")


def test_the_problem_names_the_header():
    with pytest.raises(ApiError) as refused:
        etags.if_match(request("3"))
    (problem,) = refused.value.members["details"]
    assert (problem.path, problem.code) == ("If-Match", "invalid_etag")
