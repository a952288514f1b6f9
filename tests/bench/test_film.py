import cv2
import numpy as np

from cxrnet.bench.film import SIZE, drawing, many_films


def test_drawing_is_the_same_every_time():
    assert np.array_equal(drawing(60, 70), drawing(60, 70))


def test_films_differ_and_are_gone_afterwards():
    with many_films(drawing(200, 220).astype(np.float32), 3) as paths:
        films = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    assert all(film.shape == SIZE for film in films)
    assert not np.array_equal(films[0], films[1])
    assert not any(path.exists() for path in paths)
