"""The faults in cells of one real kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.callers import verdict
from tests.faults.cells import Cells
from tests.faults.matrix import FAULTS, Fault
from tests.faults.proxy import Proxy
from tests.faults.service import Service

pytestmark = pytest.mark.kernel

ROWS = [
    pytest.param(fault, id=fault.name, marks=[] if fault.cell else [pytest.mark.slow])
    for fault in FAULTS
    if fault.in_cells
]


@pytest.fixture(scope="module")
def cells(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cells]:
    made = Cells(tmp_path_factory.mktemp("cells"), proxy)
    yield made
    made.close()


@pytest.mark.parametrize("fault", ROWS)
def test_a_cell_gets_what_is_stored_or_says_what_to_type(
    fault: Fault, cells: Cells, proxy: Proxy, service: Service
) -> None:
    cells.set_up(fault)
    for plan in fault.plans:
        saw = cells.run(fault, plan, proxy, service)
        assert verdict(saw, fault, cells.reconnect) == fault.result, (plan, saw.text)
        if fault.sockets is not None:
            assert saw.sockets == fault.sockets, plan
