import pytest

from cxrnet.data.reading import read_many
from cxrnet.errors import RadiographError
from tests.data.conftest import write_xray


@pytest.fixture(autouse=True)
def one_decoder():
    """Stands in for the fixture of that name: here every job has a decoder of its own."""


def test_many_are_read_in_their_order(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(12)]
    for number, path in enumerate(paths):
        write_xray(path, number)
    names = list(read_many(lambda decoder, path: decoder.read(path).name, paths, jobs=3))
    assert names == [path.name for path in paths]


def test_what_the_work_raises_comes_through(tmp_path):
    with pytest.raises(RadiographError, match=r"nix\.png: no such file"):
        list(read_many(lambda decoder, path: decoder.read(path), [tmp_path / "nix.png"]))
