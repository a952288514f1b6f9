"""Bad inputs, one function each: it makes a file in a folder and returns its path."""

from tests.hostile.inputs import codecs, files, greyscale, header, paths, pictures
from tests.hostile.inputs.register import DONE, REGISTER, BadInput

__all__ = ["DONE", "REGISTER", "BadInput", "codecs", "files", "greyscale", "header", "paths", "pictures"]
