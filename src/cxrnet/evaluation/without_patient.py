"""The scores of a bundle that takes patient data, as they would be with all of them missing.

A fold's logits are those of the image plus what a small dense network makes of the patient data
(`cxrnet.nn.classifier.Fold`). So the scores of a finding are enough, and no image is screened twice.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from scipy.special import softmax

from cxrnet.evaluation.cases import ClassifierCase
from cxrnet.export.bundle import load_network
from cxrnet.model.bundle import Bundle
from cxrnet.model.calibration import Calibration
from cxrnet.nn.classifier import Fold
from cxrnet.screening.conformal import conformal_set
from cxrnet.screening.finding import Finding
from cxrnet.screening.scores import logits_of

Hide = Callable[[Finding, ClassifierCase], ClassifierCase]
"""Return the case of a finding with all patient data missing; one without a score stays as it is."""


def hide_patient(bundle: Bundle) -> Hide:
    """Return what hides the patient data of a bundle that takes them."""
    config, calibration = bundle.config.classifier, bundle.config.calibration
    assert config is not None
    assert config.patient is not None
    folds = [fold for fold in load_network(bundle).ensemble.folds if isinstance(fold, Fold)]
    networks = [fold.patient for fold in folds if fold.patient is not None]
    missing = config.patient.encode({}).inputs
    fit = calibration or Calibration.identity(len(config.classes))
    sets = None if calibration is None else calibration.conformal

    def hide(finding: Finding, case: ClassifierCase) -> ClassifierCase:
        if finding.patient_inputs is None or not finding.folds:
            return case
        with torch.inference_mode():
            given, without = (
                torch.stack([network(torch.from_numpy(one)) for network in networks]).numpy()
                for one in (finding.patient_inputs, missing)
            )
        calibrated = logits_of(np.stack([finding.folds[name] for name in config.classes], axis=-1))
        logits = calibrated + (without - given) / fit.temperature
        scores, folds = softmax(logits.mean(axis=0)), softmax(logits, axis=-1)
        values = dict(zip(config.classes, map(float, scores), strict=True))
        return replace(
            case,
            scores=tuple(values.values()),
            folds=tuple(tuple(map(float, fold)) for fold in folds),
            spread=float(folds.std(axis=0).max()),
            conformal_set=None if sets is None else conformal_set(values, sets.thresholds),
            patient=dict.fromkeys(case.patient, "missing"),
        )

    return hide
