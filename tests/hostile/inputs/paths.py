"""Paths that lead nowhere, in circles, to what is no file, or that have a name to do harm."""

import os
import socket
from pathlib import Path

from tests.hostile.inputs.material import plain
from tests.hostile.inputs.register import DONE, bad, bad_copies, write


@bad("NOT_FOUND")
def missing(folder):
    return folder / "xray.dcm"


@bad("NOT_FOUND")
def missing_folder(folder):
    return folder / "gone" / "xray.dcm"


@bad("NOT_FOUND")
def file_taken_for_a_folder(folder):
    return write(folder, plain()) / "xray.dcm"


@bad("NOT_FOUND")
def link_to_nothing(folder):
    (folder / "xray.dcm").symlink_to(folder / "gone")
    return folder / "xray.dcm"


@bad("NOT_FOUND")
def link_to_itself(folder):
    (folder / "xray.dcm").symlink_to(folder / "xray.dcm")
    return folder / "xray.dcm"


@bad("NOT_FOUND")
def links_in_a_circle(folder):
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    return folder / "a" / "xray.dcm"


@bad("NOT_A_FILE")
def pipe(folder):
    os.mkfifo(folder / "xray.dcm")
    return folder / "xray.dcm"


@bad("NOT_A_FILE")
def link_to_a_pipe(folder):
    os.mkfifo(folder / "pipe")
    (folder / "xray.dcm").symlink_to(folder / "pipe")
    return folder / "xray.dcm"


@bad("NOT_A_FILE")
def listening_socket(folder):
    with socket.socket(socket.AF_UNIX) as one:
        here = os.getcwd()
        os.chdir(folder)  # the path of a socket has 108 bytes at most
        try:
            one.bind("xray.dcm")
        finally:
            os.chdir(here)
    return folder / "xray.dcm"


@bad("NOT_A_FILE")
def endless_device(folder):
    (folder / "xray.dcm").symlink_to("/dev/zero")
    return folder / "xray.dcm"


@bad("NOT_FOUND")
def name_of_5000_letters(folder):
    return folder / ("x" * 5000)


@bad("NOT_FOUND")
def path_of_100000_letters(folder):
    return folder / Path(*["x" * 200] * 500)


@bad("TOO_LARGE")
def file_of_a_terabyte(folder):
    return sparse(folder, 2**40)


@bad("UNREADABLE")
def file_of_400_megabytes_of_nothing(folder):
    return sparse(folder, 400 * 2**20)


@bad(DONE, "DECODER_MEMORY", "DECODER_TIME", "UNREADABLE", slow=True)
def xray_with_400_megabytes_behind_it(folder):
    path = write(folder, plain())
    os.truncate(path, 400 * 2**20)
    return path


def sparse(folder, length):
    path = folder / "xray.dcm"
    path.touch()
    os.truncate(path, length)
    return path


NAMES = {
    "line_break": "two\nERROR lines.dcm",
    "colours": "\x1b[31mred\x1b]0;title\x07.dcm",
    "other_direction": "xray\u202egnp.dcm",
    "no_unicode": "caf\udce9.dcm",
    "quotes": "\"'`$(touch cxrnet-escape)`;.dcm",
    "percent": "%s%n%d{0}.dcm",
    "markup": "[bold red]xray[bold].dcm",
    "dots": "....dcm",
    "table": "findings.csv.dcm",
    "journal": "journal.jsonl.dcm",
    "formula": "=HYPERLINK(1).dcm",
    "option": "--help.dcm",
    "device_of_windows": "CON.dcm",
    "pattern": "xray[1]*.dcm",
    "blanks": "   .dcm",
    "longest": "x" * 251 + ".dcm",
    "longest_in_chinese": "\u80ba" * 83 + ".dcm",
}


@bad_copies(NAMES.items(), DONE)
def named(folder, name):
    return write(folder, plain(), name)


@bad_copies(((name, text) for name, text in NAMES.items() if name in ("line_break", "colours", "no_unicode")),
            "UNREADABLE")  # fmt: skip
def bad_and_named(folder, name):
    return write(folder, b"nothing", name)
