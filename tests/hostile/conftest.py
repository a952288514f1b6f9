import cv2
import pytest

from tests.cli.conftest import cxrnet
from tests.material import draw_xray
from tests.screening.conftest import chest, dicom

__all__ = ["chest", "cxrnet", "dicom"]


@pytest.fixture(scope="session")
def xrays(tmp_path_factory):
    """Folder of 30 tiny radiographs, PNG, no two alike."""
    folder = tmp_path_factory.mktemp("xrays")
    for number in range(30):
        cv2.imwrite(str(folder / f"{number:03}.png"), draw_xray(number, height=64, width=72)[0])
    return folder
