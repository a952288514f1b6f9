"""Patient and study attributes as the standard allows them: archives refuse objects that copy invalid values.

A valid value keeps its bytes. An invalid one is rewritten where its meaning is plain and left out where it is not. A
correction names the attribute, never its value. UIDs stay as they are, since they must match those of the study.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Final, NamedTuple

from pydicom.datadict import dictionary_has_tag, dictionary_VM, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

from cxrnet.imaging.attributes import label
from cxrnet.node.objects.character_set import CharacterSet, find_character_set
from cxrnet.node.objects.modules import SINGLE, complete_modules, item_problem
from cxrnet.node.objects.values import conforming

_LONG_TEXT: Final = frozenset({"LT", "ST", "UT"})
_TEXT: Final = _LONG_TEXT | {"LO", "PN", "SH", "UC"}
_TEXTUAL: Final = _TEXT | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
_KEPT: Final = frozenset({"SpecificCharacterSet", "StudyInstanceUID"})


class Conformed(NamedTuple):
    """Attributes that may be put into an object, and what was corrected in them, for people."""

    attributes: Dataset
    corrections: tuple[str, ...]


def conform(header: Dataset, keywords: Iterable[str]) -> Conformed:
    """Return attributes of a header, by keyword, with valid values only.

    Text is the bytes of the file, neither decoded nor re-encoded unless it is invalid. Sequences and numbers are
    rewritten, since the file may have another byte order.
    """
    tags = [tag for tag in map(Tag, keywords) if tag in header]
    conformer = _Conformer(find_character_set(_declared(header), list(_texts(header, tags))))
    attributes = conformer.dataset(header, tags)
    characters = conformer.characters
    if characters.correction:
        conformer.note("SpecificCharacterSet", characters.correction)
        attributes.SpecificCharacterSet = list(characters.terms)
    if not characters.terms:
        attributes.pop("SpecificCharacterSet", None)  # the object keeps that of what is written here, UTF-8
    for keyword, problem in complete_modules(attributes):
        conformer.note(keyword, problem)
    return Conformed(attributes, tuple(dict.fromkeys(conformer.corrections)))


class _Conformer:
    """Goes through the attributes of a header and of the items in it."""

    def __init__(self, characters: CharacterSet) -> None:
        self.characters = characters
        self.corrections: list[str] = []

    def note(self, keyword: str, what: str) -> None:
        self.corrections.append(f"{label(keyword)} {what}")

    def dataset(self, given: Dataset, tags: Iterable[BaseTag]) -> Dataset:
        made = Dataset()
        for tag in tags:
            if not dictionary_has_tag(tag):
                continue
            keyword, raw = keyword_for_tag(tag), _raw_text(given, tag)
            element: DataElement | RawDataElement | None
            if raw is None:
                element = self._other(keyword, given, tag)
            else:
                element = raw if keyword in _KEPT else self._text(keyword, raw)
            if element is not None:
                made[tag] = element
        return made

    def _text(self, keyword: str, element: RawDataElement) -> RawDataElement | None:
        """Return a text element, the same one where it is valid."""
        representation = str(element.VR)
        is_text = representation in _TEXT
        content = (element.value or b"").rstrip(b" \0")
        value = self.characters.decode(content) if is_text else content.decode("latin-1")
        is_single = dictionary_VM(element.tag) == "1" or representation in _LONG_TEXT
        parts = [value] if is_single and is_text else value.split("\\")
        found = [part for each in parts if (part := conforming(keyword, representation, each)) is not None]
        if is_single and len(parts) > 1:
            found = []
        joined = "\\".join(found)
        if joined == value and "\ufffd" not in value and (self.characters.is_kept or not is_text):
            return element
        if value and not joined:
            self.note(keyword, f"is not a valid {representation} and was left out")
            return None
        if joined != value:
            self.note(keyword, f"was not a valid {representation} and was rewritten")
        return _padded(element, self.characters.encode(joined) if is_text else joined.encode("latin-1", "replace"))

    def _other(self, keyword: str, given: Dataset, tag: BaseTag) -> DataElement | None:
        """Return a number or a sequence, None where it cannot be read or nothing is left of it."""
        try:
            element = given[tag]
            is_sequence = element.VR == "SQ"
            if not is_sequence:
                return deepcopy(element)
            items = [self._item(keyword, item) for item in element.value]
        except Exception:  # pydicom's of any kind, for bytes that are no number or no items
            self.note(keyword, "cannot be read and was left out")
            return None
        kept = [item for item in items if item is not None]
        if not items:
            self.note(keyword, "has no items and was left out")
        if keyword in SINGLE and len(kept) > 1:
            self.note(keyword, "has several items; the first was kept")
            del kept[1:]
        return DataElement(tag, "SQ", Sequence(kept)) if kept else None

    def _item(self, keyword: str, given: Dataset) -> Dataset | None:
        item = self.dataset(given, list(given.keys()))
        problem, is_kept = item_problem(keyword, item)
        if problem:
            self.note(keyword, problem)
        return item if is_kept else None


def _raw_text(dataset: Dataset, tag: BaseTag) -> RawDataElement | None:
    """Return a text element as the bytes of the file, with the representation of the standard; None for others."""
    element, representation = dataset.get_item(tag), dictionary_VR(tag)
    if not isinstance(element, RawDataElement) or representation not in _TEXTUAL:
        return None
    return _padded(element._replace(VR=representation), element.value or b"")


def _padded(element: RawDataElement, value: bytes) -> RawDataElement:
    value += (b"\0" if element.VR == "UI" else b" ") * (len(value) % 2)
    return element._replace(value=value, length=len(value))


def _declared(header: Dataset) -> list[str]:
    """Return the values of Specific Character Set (0008,0005), none where all are empty."""
    value = header.get("SpecificCharacterSet") or ""
    terms = [str(term).strip(" \0") for term in ([value] if isinstance(value, str) else value)]
    return terms if any(terms) else []


def _texts(dataset: Dataset, tags: Iterable[BaseTag]) -> Iterator[bytes]:
    """Yield the bytes of all text in a dataset and in the items in it."""
    for tag in tags:
        if not dictionary_has_tag(tag):
            continue
        element = _raw_text(dataset, tag)
        if element is not None:
            yield (element.value or b"") if element.VR in _TEXT else b""
            continue
        try:
            items = dataset[tag].value if dictionary_VR(tag) == "SQ" else ()
        except Exception:  # as above
            items = ()
        for item in items or ():
            yield from _texts(item, list(item.keys()))
