"""Facts of a made-up training and its evaluations."""

from cxrnet.model.facts import DataFacts, EvaluationFacts, Facts, SourceFacts, TrainingFacts, WorstCase

TRAINING = TrainingFacts(
    kind="segmenter",
    settings={"seed": 7, "loss": "tanimoto", "segmenter": {"filters": 16}, "patience": None, "phases": [{"epochs": 2}]},
    weights="best",
    start=None,
    results={"lungs": {"epochs": 2, "best_epoch": 1, "val_dice": 0.91234}},
    sha256="f" * 64,
)
DATA = DataFacts(
    manifest="xrays.csv",
    sha256="a" * 64,
    sources=(
        SourceFacts(
            split="train",
            source="shenzhen",
            images=300,
            groups=290,
            patients=280,
            licences={"CC BY 4.0": 299, "": 1},
            labels={},
            views={"PA": 300},
        ),
    ),
)


def estimate(value, low=None, high=None):
    return {"value": value, "low": low, "high": high, "n": 12, "skipped": 0}


def block(dice, images=12):
    return {"n": images, "groups": images, "dice": estimate(dice, dice - 0.01, dice + 0.01), "hd95_px": estimate(4.0)}


def metrics(*, dice=0.953, sha256="0" * 64, **changes):
    return {
        "schema": "cxrnet.evaluation/1",
        "task": "segmenter",
        "model": {"name": "lungs", "version": "1.2", "sha256": sha256},
        "manifest": {"name": "val.csv", "sha256": "b" * 64, "where": {"split": "val"}, "columns": {}},
        "status": {"segmented": 24},
        "reasons": {},
        "overall": block(dice, 24),
        "by": {"source": {"kermany": block(0.871), "shenzhen": block(0.969)}},
        **changes,
    }


def evaluation(name="val", role="own", *, worst=True, **changes):
    case = WorstCase(group="g1", source="kermany", view="AP", metric="dice", value=0.412, label="")
    return EvaluationFacts(name=name, role=role, metrics=metrics(**changes), worst=(case,) if worst else ())


def facts(*evaluations, **changes):
    values = {"training": TRAINING, "data": DATA, "evaluations": evaluations or (evaluation(),)}
    return Facts(**(values | changes))
