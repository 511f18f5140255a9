"""Every engine that is installed, in turn."""

from __future__ import annotations

import pytest

from edge_sdk.errors import MissingDependency
from edge_sdk.runtime import ENGINES
from edge_sdk.runtime.litert_library import load_library


@pytest.fixture
def litert() -> None:
    try:
        load_library()
    except MissingDependency as error:
        pytest.skip(error.what)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "litert":
        request.getfixturevalue("litert")
    return str(request.param)
