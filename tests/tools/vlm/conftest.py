"""A small endpoint on this machine that misbehaves as told, for every test here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.tools.vlm.endpoint_kit import (
    Exchange,
    FakeEndpoint,
    completion,
    cost,
    piece,
    running_endpoint,
    says,
    streams,
)


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    with running_endpoint() as fake:
        yield fake


@pytest.fixture
def completes() -> Callable[..., dict[str, Any]]:
    return completion


@pytest.fixture
def saying() -> Callable[..., Callable[[Exchange], None]]:
    return says


@pytest.fixture
def a_piece() -> Callable[..., dict[str, Any]]:
    return piece


@pytest.fixture
def the_cost() -> dict[str, Any]:
    return cost()


@pytest.fixture
def streaming() -> Callable[..., Callable[[Exchange], None]]:
    return streams
