"""Made-up manifests with images, masks and classes on disk."""

import csv

import cv2
import numpy as np

from tests.material import draw_xray


def write_images(folder, count=12):
    """Write `count` images with masks, and `manifest.csv`; return its path and its rows."""
    rows = []
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image, lungs = draw_xray(number, height=96, width=108)
        cv2.imwrite(str(folder / f"image{number}.png"), image)
        cv2.imwrite(str(folder / "masks" / f"image{number}.png"), lungs.astype(np.uint8) * 255)
        rows.append(
            {
                "image": f"image{number}.png",
                "mask": f"masks/image{number}.png",
                "label": ("covid", "non-covid")[number % 2],
                "group_id": f"g{number}",
                "source": ("north", "north", "south")[number % 3],
                "view": "PA" if number % 2 else "",
            }
        )
    return write_rows(folder, rows), rows


def write_rows(folder, rows, name="manifest.csv"):
    """Write rows as a manifest; return its path."""
    path = folder / name
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return path
