"""The contract of the venue port on the paper exchange, in process and over HTTP, with unique ids and without."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.venues import contract, contract_faults
from tests.venues.contract import Case
from tests.venues.stand import PLAIN, Stand, apart, inside

Factory = Callable[[Path], AbstractAsyncContextManager[Stand]]
CLASS_B = replace(PLAIN, unique_ids=False)
FACTORIES: dict[str, Factory] = {
    "inside": inside,
    "inside-class-b": lambda folder: inside(folder, CLASS_B),
    "apart": apart,
}


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
@pytest.mark.parametrize("case", [*contract.CASES, *contract_faults.CASES], ids=lambda case: case.__name__)
async def test_contract(case: Case, factory: Factory, tmp_path: Path) -> None:
    async with factory(tmp_path) as stand:
        await case(stand)
