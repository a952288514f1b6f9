"""What the paper prints, and what cannot be compared with it: Abdulah et al., CXR-Net."""

from typing import Final

TABLE_1: Final = {
    "heart_excluded": {"dice": "0.98", "precision": "0.98", "recall": "0.98", "f1": "0.98"},
    "heart_included": {"dice": "0.96", "precision": "0.96", "recall": "0.96", "f1": "0.96"},
}
"""Convention of the masks (JMS, V7) -> metric -> value on the validation images."""

CLASSIFIER_COLUMNS: Final = ("six models, validation sets", "ensemble, training set", "ensemble, test set")
TABLE_2: Final = {
    "accuracy": ("0.813 (0.020)", "0.928", "0.789"),
    "precision": ("0.740 (0.056)", "0.878", "0.739"),
    "recall": ("0.793 (0.089)", "0.941", "0.693"),
    "f1": ("0.759 (0.025)", "0.908", "0.715"),
    "roc_auc": ("0.895 (0.007)", "0.981", "0.852"),
}
TABLE_3: Final = {
    "accuracy": ("0.814 (0.022)", "0.938", "0.793"),
    "precision": ("0.728 (0.041)", "0.893", "0.738"),
    "recall": ("0.810 (0.075)", "0.952", "0.709"),
    "f1": ("0.764 (0.043)", "0.921", "0.723"),
    "roc_auc": ("0.897 (0.017)", "0.985", "0.850"),
}
"""Metric -> value in each of `CLASSIFIER_COLUMNS`; of Table 3 with dark regions left out of the average."""

PARAMETERS: Final = {"segmenter": "59,165", "fold": "20,467", "ensemble": "122,802"}

NAMES: Final = {"heart_excluded": "JMS, heart left out", "heart_included": "V7, heart included"}

POOLED_REMARK: Final = (
    "The paper pools the pixels of lungs and background at a threshold of 0.5. Dice, precision, recall and F1 are then "
    "one number, the pixel accuracy. The column on the right counts the lungs alone, image by image."
)
SEEN_REMARK: Final = (
    "The published lung models may have seen some of these images: the V7 and Shenzhen collections are among their "
    "training data, and the paper does not list the images."
)
UNSEEN_REMARK: Final = (
    "The published classifier was trained on the private images alone: none of these was in its training."
)
MAYBE_SEEN_REMARK: Final = (
    "These images may have trained the model: the manifest has no rows with split = test, and the folds of a "
    "cross-validation together see all others. The ensemble then scores higher than on new images. Trust the columns "
    "out of fold, if there are any: each image is scored by the fold that was not trained on it."
)
TEST_REMARK: Final = (
    "`cxrnet train` does not read rows with split = test. Whether the model saw these images in another manifest is "
    "not known."
)
CLASSIFIER_REMARKS: Final = (
    "The HFHS images (2,265 for training, 1,532 for testing) are private. The columns on the right are other images, "
    "from other hospitals.",
    "The paper keeps patients of the training and test set apart, but its six folds split images, not patients: images "
    "of one patient are in the training and in the validation set of a fold (Fig. 11a, row 'group'). Its validation "
    "column is therefore too high, and its test column is the one to compare with.",
    "Where the source tells the class, a model that recognises the source scores well. The columns within one source "
    "show the images of sources that have both classes.",
)
THRESHOLD_REMARK: Final = (
    "The paper does not give its threshold, and the weights of Table 3 were not published. Here the weights of Table 2 "
    "are pooled with a threshold of {threshold:g} of the largest grey value; no network was trained with it."
)
UNAVAILABLE: Final = {
    "Fig. 6": "Training histories of the published models do not exist. `cxrnet train` draws the curves of a model of "
    "your own (`curves.png` in its run).",
    "Fig. 11a, b": "The partition of the private images into folds and the histories of the six trainings were not "
    "published. `cxrnet train classifier` writes both (`folds.csv`, `curves.png`).",
}
"""Figure -> why it is not here."""
