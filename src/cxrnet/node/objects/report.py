"""Scores as a structured report, TID 1500 Measurement Report (PS3.16), in a Comprehensive SR (PS3.3 A.35.3).

One group of measurements for the image (TID 1501), and one for each class that got a score. What an answer means is
coded by the private scheme of `identity`: no code of the standard says "output of this model", and one that names a
disease would read as its diagnosis.
"""

from collections.abc import Iterator
from typing import Any

from highdicom import sr
from pydicom.sr.codedict import codes

from cxrnet.node.objects.identity import DISCLAIMER, MANUFACTURER, Identity, ascii_text, coding_schemes, private_code

CHEST_RADIOGRAPHY = sr.CodedConcept("399208008", "SCT", "Plain chest X-ray")
RADIOGRAPHY = sr.CodedConcept("168537006", "SCT", "Plain radiography")

_DIGITS = 6


def report(identity: Identity) -> sr.ComprehensiveSR:
    """Status, reasons, scores with their interval, folds and lung area; of a refused image no score at all.

    There is no image library: highdicom's wants a Patient Orientation and an Imager Pixel Spacing, which many images
    lack. Every group refers to the image by itself.
    """
    finding, reference = identity.finding, identity.source.reference
    observer = sr.DeviceObserverIdentifyingAttributes(
        uid=identity.device_uid,
        name="cxrnet",
        manufacturer_name=MANUFACTURER,
        model_name=ascii_text(identity.model),
        serial_number=identity.sha256,
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_device_context=sr.ObserverContext(codes.DCM.Device, observer_identifying_attributes=observer)
        ),
        procedure_reported=CHEST_RADIOGRAPHY if finding.scores else RADIOGRAPHY,
        imaging_measurements=[_image_group(identity), *(_class(identity, name) for name in finding.scores)],
    )
    content[0].ContentSequence.append(
        _text(codes.DCM.Comment, f"{DISCLAIMER}. Not a medical device; not for diagnosis.")
    )
    return sr.ComprehensiveSR(
        evidence=[reference],
        content=content[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        coding_schemes=coding_schemes(),
        **identity.series("sr"),
    )


def _image_group(identity: Identity) -> sr.MeasurementsAndQualitativeEvaluations:
    finding = identity.finding
    evaluations = [_answer("STATUS", "Status", finding.status)]
    if finding.scores:
        evaluations.append(_answer("CALIBRATED", "Scores are calibrated", _yes(finding.is_calibrated)))
    if finding.is_uncertain is not None:
        evaluations.append(_answer("UNCERTAIN", "Folds leave the answer open", _yes(finding.is_uncertain)))
    kind = ("REFUSAL", "Reason of the refusal") if finding.status == "refused" else ("WARNING", "Warning")
    evaluations += [_answer(*kind, reason.code) for reason in finding.reasons]
    measurements = []
    if finding.lung_area_fraction is not None:
        name = private_code("LUNG_AREA", "Share of the image that is lung")
        site = [sr.FindingSite(anatomic_location=codes.SCT.Lung)]
        measurements.append(_number(name, finding.lung_area_fraction, finding_sites=site))
    if finding.spread is not None:
        measurements.append(
            _number(private_code("SPREAD", "Largest standard deviation over the folds"), finding.spread)
        )
    group = _group(identity, "image", measurements, evaluations)
    texts = [f"{reason.code}: {reason.text}" for reason in finding.reasons]
    texts += [f"Patient data: {finding.patient_origins}"] if finding.patient else []
    texts += [f"Uncertain: {finding.uncertainty_reason}"] if finding.uncertainty_reason else []
    texts += finding.corrections
    group[0].ContentSequence.extend(_text(codes.DCM.Comment, text) for text in texts)
    return group


def _class(identity: Identity, name: str) -> sr.MeasurementsAndQualitativeEvaluations:
    return _group(
        identity,
        f"class {name}",
        list(_measurements(identity, name)),
        [],
        finding_type=private_code(f"CLASS-{name}", f"Class {name} of the model, no diagnosis"),
    )


def _measurements(identity: Identity, name: str) -> Iterator[sr.Measurement]:
    finding = identity.finding
    score = finding.scores[name]
    properties = None
    if finding.interval:
        low, high = finding.interval[name]
        properties = sr.MeasurementProperties(
            upper_measurement_uncertainty=round(max(high - score, 0.0), _DIGITS),
            lower_measurement_uncertainty=round(max(score - low, 0.0), _DIGITS),
        )
    yield _number(private_code("SCORE", "Score of the ensemble, 0 to 1"), score, properties=properties)
    if finding.interval:
        yield _number(private_code("INTERVAL_LOW", "Lower end of the 95 % interval over the folds"), low)
        yield _number(private_code("INTERVAL_HIGH", "Upper end of the 95 % interval over the folds"), high)
    for number, value in enumerate(finding.folds[name], start=1):
        tracking = sr.TrackingIdentifier(identity.uid(f"tracking fold {number} {name}"), f"fold {number}")
        yield _number(private_code("FOLD_SCORE", "Score of one fold"), value, tracking_identifier=tracking)
    if name == next(iter(finding.scores)):
        for point, value in finding.operating_points.items():
            yield _number(private_code(f"POINT-{point}", f"Operating point {point}"), value)


def _group(
    identity: Identity,
    what: str,
    measurements: list[sr.Measurement],
    evaluations: list[sr.QualitativeEvaluation],
    *,
    finding_type: sr.CodedConcept | None = None,
) -> sr.MeasurementsAndQualitativeEvaluations:
    reference = identity.source.reference
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(identity.uid(f"tracking {what}"), ascii_text(f"cxrnet {what}")),
        finding_type=finding_type,
        algorithm_id=sr.AlgorithmIdentification(
            name=ascii_text(f"cxrnet {identity.finding.model['name']}"),
            version=ascii_text(identity.finding.model["version"]),
            parameters=[f"{key} = {value}" for key, value in identity.parameters.items()],
            family=codes.DCM.ArtificialIntelligence,
            manufacturer=MANUFACTURER,
        ),
        measurements=measurements,
        qualitative_evaluations=evaluations,
        source_images=[
            sr.SourceImageForMeasurementGroup(
                referenced_sop_class_uid=reference.SOPClassUID, referenced_sop_instance_uid=reference.SOPInstanceUID
            )
        ],
    )


def _number(name: sr.CodedConcept, value: float, **options: Any) -> sr.Measurement:
    return sr.Measurement(name=name, value=round(value, _DIGITS), unit=codes.UCUM.NoUnits, **options)


def _answer(name: str, meaning: str, value: str | sr.CodedConcept) -> sr.QualitativeEvaluation:
    if isinstance(value, str):
        value = private_code(value.upper(), value.lower().replace("_", " "))
    return sr.QualitativeEvaluation(name=private_code(name, meaning), value=value)


def _yes(is_so: bool) -> sr.CodedConcept:
    return sr.CodedConcept.from_code(codes.SCT.Yes if is_so else codes.SCT.No)


def _text(name: sr.CodedConcept, text: str) -> sr.TextContentItem:
    return sr.TextContentItem(name=name, value=ascii_text(text), relationship_type=sr.RelationshipTypeValues.CONTAINS)
