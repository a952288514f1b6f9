"""The COVID-19 image data collection of J. P. Cohen and others (GitHub ieee8023/covid-chestxray-dataset).

    metadata.csv                        patientid, finding, view, modality, folder, filename, license ...
    images/                             the images; `folder` names another place where there is one

Older tables write `COVID-19, ARDS` for a finding, newer ones `Pneumonia/Viral/COVID-19`, and have fewer columns.
"""

from pathlib import Path

from cxrnet.data.datasets.dataset import Collection, Entry, read_table
from cxrnet.errors import ManifestError

SOURCE = "covid-image-data"
VIEWS = ("PA", "AP", "AP Supine")
_KEPT = ("finding", "sex", "age", "offset", "date", "location", "modality", "license", "url", "doi")
_NO_CLASS = ("", "todo", "unknown")


def find_covid_image_data(folder: Path) -> Collection:
    """The frontal images of the collection, labelled covid or non-covid."""
    rows = read_table(folder / "metadata.csv")
    for column in ("patientid", "finding", "view", "filename"):
        if rows and column not in rows[0]:
            msg = f"{folder / 'metadata.csv'}: has no column {column}; give the collection as it is published"
            raise ManifestError(msg)
    collection = Collection()
    for row in rows:
        image = folder / (row.get("folder") or "images") / row.get("filename", "")
        reason = _objection(row, image)
        if reason:
            collection.left_out[reason] += 1
        else:
            collection.entries.append(Entry(image=image, values=_values(row)))
    return collection


def _objection(row: dict[str, str], image: Path) -> str:
    """Why a row is left out, "" where it is not."""
    if row.get("modality", "X-ray").lower() not in ("x-ray", ""):
        return f"modality {row['modality']}"
    if row.get("view", "") not in VIEWS:
        return f"view {row.get('view') or 'not given'}"
    if row.get("finding", "").lower() in _NO_CLASS:
        return f"finding {row.get('finding') or 'not given'}"
    return "" if image.is_file() else "no such image file"


def _values(row: dict[str, str]) -> dict[str, str]:
    patient = row["patientid"]
    return {
        "label": "covid" if "COVID-19" in row["finding"].upper() else "non-covid",
        "patient_id": f"{SOURCE}:{patient}" if patient else "",
        "source": SOURCE,
        "view": row["view"],
        **{name: row[name] for name in _KEPT if name in row},
    }
