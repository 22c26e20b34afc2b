"""Schemathesis holds the running server against its own document, with every check that it has.

EXPLORE=1000 in the environment looks for something new with so many examples; otherwise each run is the same.
"""

import json
import os
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import CHECKS, load_all_checks

from tests.conftest import SYNC_PATH, World, make_world

EXPLORE = int(os.environ.get("EXPLORE", "0"))
SETTINGS = hypothesis.settings(
    deadline=None,
    derandomize=not EXPLORE,
    max_examples=EXPLORE or 40,
    suppress_health_check=list(hypothesis.HealthCheck),
)

# Rules that no schema can state, with the reason; the text of the document states them. A request that fits the
# schema may be refused for these problems, and for these only.
UNSAYABLE = {
    "nul_character": "no schema says 'nowhere within': U+0000 deep in the metadata or in unknown members",
    "lone_surrogate": "as U+0000",
    "too_deep": "no schema limits nesting",
    "number_out_of_range": "JSON Schema knows no limit to the length of a number in unknown members",
    "too_long": "the limits of metadata (in bytes) and of names in Unicode NFC are none of JSON Schema's",
    "not_of_project": "whether a ticket exists is no question of form",
    "not_whole_minutes": "JSON Schema multiplies in floats",
    "invalid_cursor": "only the server knows which cursors it gave out",
    "not_with_cursor": "no schema of a parameter speaks of another one",
    "invalid_etag": "it can be said, but Schemathesis sends any text as If-Match, whatever its pattern",
    "invalid_url": "which URLs lead to the public internet is no question of form",
    "invalid_range": "how far two days lie apart is no question of form",
}
# JSON Schema calls 150.0 an integer; the contract's minutes are integers as written (see the tests of fields).
FRACTION = ("minutes", "wrong_type")
# One of the two is required, which the structs that make the schemas have no word for.
EITHER = {("minutes", "required"), ("hours", "required")}
# The two keys of a summary may stand in one parameter, and must differ.
TWICE = ("groupBy", "duplicate_parameter")
# Required by what another member says, or by the state of things.
CONDITIONAL = {("reason", "required"), ("reference", "required")}
# Of API keys: numbers as minutes, members that go together, and an end that lies in the future.
OF_KEYS = {
    ("overlapSeconds", "wrong_type"),
    ("rateLimitPerMinute", "wrong_type"),
    ("scopedProjectId", "required"),
    ("scopedProjectId", "not_with_scope"),
    ("expiresAt", "out_of_range"),
}
# Of webhooks: moments of the calendar's first and last day that are none in UTC, and an end before its beginning.
MOMENTS = {("since", "out_of_range"), ("until", "out_of_range")}
# Characters that nothing shows, such as unassigned ones, are not white space; a name of nothing else is refused.
INVISIBLE = {("name", "blank"), ("title", "blank")}
PAIRS = {FRACTION, *EITHER, TWICE, *CONDITIONAL, *OF_KEYS, *MOMENTS, *INVISIBLE}
# The answer to a batch is 200 whatever becomes of its entries, each of which has a status of its own.
BATCH = f"{SYNC_PATH}/batch"
INVITATIONS = "/api/v1/users/bulk-invite"
# As for a list of lines: the refused ones are named in the answer.
LIST = "/api/v1/integration/reconcile"
NDJSON = "application/x-ndjson"


@pytest.fixture(scope="module")
async def api_world(pool) -> World:
    return await make_world(pool)


@pytest.fixture(scope="module")
async def sync_world(pool) -> World:
    """An organisation that no test has changed, by locking a period for example."""
    return await make_world(pool)


@pytest.fixture(scope="module")
def api_schema(base_url: str) -> schemathesis.BaseSchema:
    loaded = schemathesis.openapi.from_url(f"{base_url}/api/v1/openapi.json")
    # The tests send a good key; a made-up second one beside it would have every request refused with 401.
    loaded.config.generation.with_security_parameters = False
    return loaded


@pytest.fixture(autouse=True)
def _node_id(request: pytest.FixtureRequest) -> None:
    """Schemathesis 4.32 names its subtests by an attribute that pytest 9.2 has no more."""
    request.node._nodeid = request.node.nodeid


schema = schemathesis.pytest.from_fixture("api_schema")


@schemathesis.serializer(NDJSON)
def one_line(_context: Any, value: Any) -> bytes:
    """A body of one line; the schema says what a line holds."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def answered(response: Any) -> dict[str, Any]:
    """The body of an answer; of lines the last one, which has the counts."""
    return json.loads(response.content.splitlines()[-1]) if response.content else {}


def refusals(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Every refusal in an answer: the answer itself, or those of a batch's members that others suffer from."""
    inner = [result["error"] for result in body.get("results", []) if "error" in result]
    return [each for each in inner if each["error"] != "batch_rejected"] or ([body] if "error" in body else [])


def is_unsayable(refusal: dict[str, Any]) -> bool:
    """Whether a refusal names only what no schema can state."""
    found = [(problem["path"], problem["code"]) for problem in refusal.get("details", [])]
    return bool(found) and all(code in UNSAYABLE or (path.rpartition(".")[2], code) in PAIRS for path, code in found)


def excused(case: schemathesis.Case, response: Any) -> list[str]:
    """The checks that do not apply to this answer, by the tables above."""
    body = answered(response)
    if response.status_code == 400 and is_unsayable(body):
        return ["positive_data_acceptance"]
    refused = {BATCH: "failed", LIST: "invalid"}.get(case.path)
    if refused is not None and response.status_code == 200 and body[refused]:
        return ["negative_data_rejection"]
    if case.path == INVITATIONS and response.status_code == 200 and refusals(body):
        return ["negative_data_rejection"]
    if "idempotency-body-mismatch" in response.headers:  # the answer to another body (decision 5 of the contract)
        return ["negative_data_rejection"]
    return []


def check(case: schemathesis.Case, response: Any, world: World) -> None:
    """Run every check on the answer."""
    load_all_checks()
    excluded = [CHECKS.get_one(name) for name in excused(case, response)]
    options = {"headers": world.headers}
    case.validate_response(response, excluded_checks=excluded, headers=world.headers, transport_kwargs=options)


def validate(case: schemathesis.Case, world: World) -> Any:
    """Send the case with a good key and run every check on the answer."""
    response = case.call(headers=world.headers)
    check(case, response, world)
    return response


@schema.parametrize()
@SETTINGS
def test_the_server_does_what_its_document_says(case, api_world):
    validate(case, api_world)


def with_real_ids(value: Any, world: World) -> Any:
    """The body with ids of things that exist."""
    real = {"projectId": world.project_id, "userId": world.user_id, "entryId": world.ticket_id}
    if isinstance(value, dict):
        return {
            name: str(real[name]) if name in real else with_real_ids(member, world) if name == "entries" else member
            for name, member in value.items()
        }
    return [with_real_ids(item, world) for item in value] if isinstance(value, list) else value


@schema.include(method="POST", path_regex=SYNC_PATH).parametrize()
@SETTINGS
def test_requests_that_fit_and_name_what_exists_are_accepted(case, sync_world):
    if not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    case.body = with_real_ids(case.body, sync_world)
    case.headers.pop("Idempotency-Key", None)  # a replay would be an answer to another case
    response = validate(case, sync_world)
    assert all(is_unsayable(refusal) for refusal in refusals(answered(response))), response.content


def test_what_was_created_can_be_read(api_schema, sync_world):
    """Follows answers to further requests, which the checks on resources need."""
    seen = set()

    class Workflow(api_schema.include(path_regex=f"{SYNC_PATH}(/{{id}})?$").as_state_machine()):
        def before_call(self, case: schemathesis.Case) -> None:
            if isinstance(case.body, dict) and case.meta.generation.mode.is_positive:
                # A new pair each time: what happens must not depend on the runs before.
                case.body = {**with_real_ids(case.body, sync_world), "externalId": str(uuid4())}
            case.headers.pop("Idempotency-Key", None)

        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {"headers": sync_world.headers}

        def validate_response(self, response: Any, case: schemathesis.Case, *_: Any, **__: Any) -> None:
            seen.add((case.method, response.status_code))
            check(case, response, sync_world)

    Workflow.run(settings=hypothesis.settings(SETTINGS, max_examples=EXPLORE or 12, stateful_step_count=5))
    assert {("POST", 201), ("GET", 200)} <= seen


def test_no_check_is_turned_off(api_schema):
    load_all_checks()
    config = api_schema.config.checks
    off = [name for name in CHECKS.get_all_names() if not config.get_by_name(name=name).enabled]
    # The one without a meaning of its own: a limit must be chosen first, and this machine is no measure.
    assert off in ([], ["max_response_time"])
