"""Three clients of other makers do the same with the twin, point by point; docs/opcua-counterparts.md is the table of it."""

from __future__ import annotations

from pathlib import Path

import matrix_asyncua
import matrix_node
import pytest
from conftest import HERE
from matrix_hall import MatrixHall
from matrix_points import CLIENTS, POINTS, page

PAGE = Path(__file__).parents[2] / "docs" / "opcua-counterparts.md"

pytestmark = [
    pytest.mark.counterpart,
    # the package `opcua` is no longer maintained and calls functions that Python and cryptography deprecate
    pytest.mark.filterwarnings("ignore::DeprecationWarning:opcua"),
    pytest.mark.filterwarnings("ignore:.*utcnow.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning"),
]


def rounded(value):
    """Return the numbers of an answer to nine places, in whatever it is made of."""
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, (list, tuple)):
        return [rounded(part) for part in value]
    return {key: rounded(part) for key, part in value.items()} if isinstance(value, dict) else value


@pytest.fixture(scope="module", params=CLIENTS)
def run(request, tmp_path_factory):
    """Return a client's name and what came of each point, done once."""
    client = request.param
    if client == "node-opcua-client":
        node = request.getfixturevalue("node_opcua")

        def use(hall, folder):
            return matrix_node.use(hall, folder, node)

    elif client == "opcua":
        pytest.importorskip("opcua", reason="the package opcua is in the test extra", exc_type=ImportError)
        from matrix_opcua import use
    else:
        use = matrix_asyncua.use
    folder = tmp_path_factory.mktemp(client)
    for name in ("hall", "client"):
        (folder / name).mkdir()
    with MatrixHall(folder / "hall") as hall:
        return client, use(hall, folder / "client")


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.key)
def test_a_client_of_another_maker(run, point):
    client, answer = run
    assert "failed" not in answer, answer["failed"]
    assert rounded(answer.get(point.key, "was not done")) == rounded(point.wanted(client))


def test_every_answer_is_of_a_point_in_the_table(run):
    _, answer = run
    assert set(answer) == {point.key for point in POINTS}


def test_the_page_is_the_table():
    assert PAGE.read_text() == page(), f"run: python {HERE.relative_to(PAGE.parents[1])}/matrix_points.py > docs/{PAGE.name}"
