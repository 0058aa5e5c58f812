import subprocess
import sys
from pathlib import Path

import pytest

from mcp_voice.server.tenancy import tenancy

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks there")

LIVE_IN = """
import sys
from pathlib import Path
from mcp_voice.server.tenancy import tenancy
with tenancy(Path(sys.argv[1])) as alone:
    print(alone, flush=True)
    sys.stdin.read()
"""


def test_the_first_in_a_store_is_alone_and_the_second_is_not(tmp_path: Path) -> None:
    file = tmp_path / "new" / "calls.db"

    with tenancy(file) as first, tenancy(file) as second:
        assert (first, second) == (True, False)
    with tenancy(file) as third:
        assert third


def test_one_that_moves_out_leaves_the_other_in(tmp_path: Path) -> None:
    file = tmp_path / "calls.db"
    first, second = tenancy(file), tenancy(file)
    first.__enter__()
    second.__enter__()

    first.__exit__(None, None, None)

    with tenancy(file) as third:
        assert not third
    second.__exit__(None, None, None)


def test_a_process_that_is_killed_has_moved_out(tmp_path: Path) -> None:
    file = tmp_path / "calls.db"
    with subprocess.Popen(
        [sys.executable, "-c", LIVE_IN, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with tenancy(file) as while_it_lives:
            assert not while_it_lives
        other.kill()
        other.wait(10)

    with tenancy(file) as after:
        assert after


def test_a_store_without_a_file_is_its_process_s_own() -> None:
    with tenancy(None) as alone:
        assert alone
