from collections.abc import AsyncIterator

import pytest

from tests.tools.desk import Office, an_office


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with an_office() as office:
        yield office
