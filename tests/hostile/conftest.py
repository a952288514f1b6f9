from __future__ import annotations

import cv2
import pytest

from tests.cli.conftest import cxrnet
from tests.material import film
from tests.screening.conftest import chest, dicom

__all__ = ["chest", "cxrnet", "dicom"]


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    """Folder of 30 tiny films, PNG, no two alike."""
    folder = tmp_path_factory.mktemp("films")
    for number in range(30):
        cv2.imwrite(str(folder / f"{number:03}.png"), film(number, height=64, width=72)[0])
    return folder
