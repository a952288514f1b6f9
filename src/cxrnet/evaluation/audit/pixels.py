"""What an acquisition, a conversion or a display does to pixels: float32 [height, width], 0 to 255, in and out.

JPEG, CLAHE and resampling are the operations of the augmentation (`cxrnet.data.acquisition`); amounts and all else are
set apart from it, so that the audit does not repeat what the training drew.
"""

import io

import cv2
import numpy as np
from PIL import Image

from cxrnet.arrays import Float32, UInt8
from cxrnet.data.acquisition import equalise_tiles, recompress, resample

WHITE = 255.0
CLAHE_TILES = 8


def add_noise(pixels: Float32, sigma: float, rng: np.random.Generator) -> Float32:
    """Add Gaussian noise of standard deviation `sigma`."""
    return (pixels + rng.normal(0, sigma, pixels.shape)).astype(np.float32)


def clip_bright(pixels: Float32, share: float) -> Float32:
    """Show the image in a window that makes the brightest `share` of the pixels white."""
    high = max(float(np.quantile(pixels, 1 - share)), 1.0)
    return np.asarray(np.minimum(pixels, high) * (WHITE / high), np.float32)


def clip_dark(pixels: Float32, share: float) -> Float32:
    """Show the image in a window that makes the darkest `share` of the pixels black."""
    low = min(float(np.quantile(pixels, share)), WHITE - 1)
    return np.asarray((np.maximum(pixels, low) - low) * (WHITE / (WHITE - low)), np.float32)


def apply_gamma(pixels: Float32, exponent: float) -> Float32:
    """Raise the grey values, as parts of white, to `exponent`."""
    return np.asarray(WHITE * (pixels / WHITE) ** exponent, np.float32)


def apply_clahe(pixels: Float32, limit: float) -> Float32:
    """Equalise the histogram of each of 8 x 8 tiles, contrast limited to `limit` (CLAHE)."""
    return equalise_tiles(eight_bits(pixels), limit, CLAHE_TILES).astype(np.float32)


def blur(pixels: Float32, sigma: float) -> Float32:
    """Blur with a Gaussian of standard deviation `sigma`, in pixels."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.float32)


def shrink_and_enlarge(pixels: Float32, factor: float) -> Float32:
    """Shrink to `factor` by area averaging and enlarge again by bilinear interpolation."""
    height, width = pixels.shape
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(resample(pixels, small, down=cv2.INTER_AREA, up=cv2.INTER_LINEAR), np.float32)


def compress_jpeg(pixels: Float32, quality: float) -> Float32:
    """Store as JPEG of this quality (1 to 95) and read again."""
    return recompress(eight_bits(pixels), int(quality)).astype(np.float32)


def compress_jpeg2000(pixels: Float32, ratio: float) -> Float32:
    """Store as irreversible JPEG 2000, `ratio` times smaller than the raw pixels, and read again."""
    file = io.BytesIO()
    options = {"irreversible": True, "quality_mode": "rates", "quality_layers": [ratio]}
    Image.fromarray(eight_bits(pixels)).save(file, "JPEG2000", **options)
    return np.asarray(Image.open(file, formats=["JPEG2000"]), np.float32)


def reduce_levels(pixels: Float32, bits: int) -> Float32:
    """Keep 2^`bits` levels between black and white."""
    steps = 2**bits - 1
    return np.asarray(np.rint(pixels / WHITE * steps) * (WHITE / steps), np.float32)


def add_marker(pixels: Float32, size: float) -> Float32:
    """Draw a side marker, a white letter in a black box `size` times the height, into the upper left corner."""
    height = len(pixels)
    side, edge = round(size * height), round(0.02 * height)
    marked = pixels.copy()
    marked[edge : edge + side, edge : edge + side] = 0
    _write(marked, "R", left=edge + 0.15 * side, bottom=edge + 0.85 * side, height=0.7 * side)
    return marked


def add_text(pixels: Float32, lines: float) -> Float32:
    """Burn lines of white text into the upper right and the lower left of the image."""
    height, width = pixels.shape
    marked, step = pixels.copy(), 0.05 * height
    for line in range(int(lines)):
        above, below = (line + 1.5) * step, height - (line + 0.5) * step
        _write(marked, f"PORTABLE AP {line}", left=0.62 * width, bottom=above, height=0.6 * step)
        _write(marked, f"110 kV 2 mAs {line}", left=0.02 * width, bottom=below, height=0.6 * step)
    return marked


def eight_bits(pixels: Float32) -> UInt8:
    """Return the pixels rounded to whole grey values, uint8 [height, width]."""
    return np.rint(np.clip(pixels, 0, WHITE)).astype(np.uint8)


def _write(pixels: Float32, text: str, *, left: float, bottom: float, height: float) -> None:
    """Draw `text`, its letters `height` pixels high, into `pixels`."""
    thickness = max(1, round(height / 8))
    scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, max(1, round(height)), thickness)
    layer = np.zeros(pixels.shape, np.uint8)
    place = (round(left), round(bottom))
    cv2.putText(layer, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, WHITE, thickness, cv2.LINE_AA)
    np.maximum(pixels, layer, out=pixels)
