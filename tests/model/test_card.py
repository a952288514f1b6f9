"""The card says what config and facts say, and no more."""

import pytest
from pydantic import ValidationError

from cxrnet.errors import BundleError
from cxrnet.model.bundle import CARD, CHECKSUMS, FACTS, read_bundle, write_bundle, write_facts
from cxrnet.model.calibration import Calibration
from cxrnet.model.card import render_card
from cxrnet.model.config import BundleConfig, ClassifierConfig, Standardisation
from cxrnet.model.facts import Facts, SegmenterFacts
from tests.model.conftest import CONFIG_OF_LUNGS, FILES, list_again
from tests.model.material import DATA, TRAINING, evaluation, facts, metrics

CLASSIFIER = BundleConfig(
    name="covid",
    version="1.0",
    description="Ensemble",
    lungs_include_heart=True,
    classifier=ClassifierConfig(),
    folds=6,
    standardisation=Standardisation(mean=127.0, std=74.0),
    calibration=Calibration(temperature=1.5, bias=(0.1, -0.1), images=1887, operating_points={"balanced": 0.437}),
)


def card(known=None, config=CONFIG_OF_LUNGS):
    return render_card(config, known or facts(), "c" * 64)


def section(text, heading):
    return text.split(f"## {heading}\n")[1].split("\n## ")[0]


def test_card_says_what_it_must_not_be_used_for():
    assert "For research only. Not a medical device; not for diagnosis." in card()
    assert "Diagnosis, triage" in section(card(config=CLASSIFIER), "Not to be used for")


def test_card_counts_images_groups_patients_and_licences_of_each_source():
    row = "| train | shenzhen | 300 | 290 | 280 | none | PA 300 | CC BY 4.0 299, (not given) 1 |"
    assert row in section(card(), "Data")


def test_card_states_settings_that_are_not_of_the_network_and_results():
    text = section(card(), "Training")
    assert "from random weights; weights of the best epoch" in text
    assert "| seed | 7 |" in text
    assert "| lungs | 2 | 1 | 0.9123 |" in text
    assert "filters" not in text


def test_card_states_figures_with_intervals_overall_and_by_column():
    text = section(card(), "Figures")
    assert "24 images in 24 groups of `val.csv` (split=val), by lungs 1.2." in text
    assert "| Dice | 0.953 [0.943, 0.963] |" in text
    assert "| kermany | 12 | 0.871 [0.861, 0.881] |" in text


def test_card_states_the_weakest_part_and_the_worst_groups():
    text = section(card(), "Known failures")
    assert "val: Dice is lowest for source kermany: 0.871 [0.861, 0.881], 12 images; overall 0.953" in text
    assert "| g1 | kermany | AP |  | 0.412 |" in text


def test_subset_of_few_images_is_not_called_the_weakest():
    blocks = {name: {**metrics()["overall"], "n": images} for name, images in (("a", 9), ("b", 24))}
    assert "lowest" not in card(facts(evaluation(by={"source": blocks})))


@pytest.mark.parametrize("dice", [0.953, 0.412])
def test_number_in_the_facts_is_the_number_in_the_card(dice):
    assert f"| Dice | {dice:.3f} [" in card(facts(evaluation(dice=dice)))


def test_controls_and_comparisons_stand_apart_and_say_whether_images_are_the_same():
    other = {**metrics()["manifest"], "sha256": "d" * 64}
    text = card(
        facts(evaluation(), evaluation("blacked out", "control"), evaluation("V7", "comparison", manifest=other))
    )
    assert "### blacked out" in section(text, "Controls")
    assert "These are the same images as above." in section(text, "Controls")
    assert "These are other images than above." in section(text, "Other models")
    assert "### V7" not in section(text, "Figures")


def test_other_folds_of_the_same_images_are_the_same_images():
    one, other = ({**metrics()["manifest"], "sha256": digit * 64, "films": "e" * 64} for digit in "cd")
    text = card(facts(evaluation(manifest=one), evaluation("blacked out", "control", manifest=other)))
    assert "These are the same images as above." in section(text, "Controls")


def test_images_without_a_result_are_counted():
    text = card(facts(evaluation(status={"failed": 1, "segmented": 23}, reasons={"UNREADABLE": 1})))
    assert "1 images were failed" in text
    assert "Reasons: UNREADABLE 1." in text


def test_source_that_is_confounded_with_the_class_is_named():
    text = card(facts(evaluation(single_class={"source": {"single": ["hannover"], "both": ["ieee8023"]}})))
    assert "all images of hannover have one class; both are in ieee8023" in text


def test_card_of_a_classifier_tells_calibration_and_where_its_masks_came_from():
    masks = SegmenterFacts(name="lungs", version="1.2", sha256="e" * 64, training=TRAINING, data=DATA)
    text = card(Facts(segmenter=masks), CLASSIFIER)
    assert "calibrated on 1,887 images" in text
    assert "score of covid: balanced 0.437." in text
    assert f"Lung masks came from lungs 1.2 (sha256 `{'e' * 64}`)" in text
    assert "| train | shenzhen | 300 |" in text


def test_card_states_that_module_1_works_on_halved_images():
    network = CONFIG_OF_LUNGS.segmenter.model_copy(update={"output_stride": 2})
    halved = CONFIG_OF_LUNGS.model_copy(update={"segmenter": network})
    assert "dilated branches on halved images; its lungs" in card(config=halved)
    assert "dilated branches; its lungs" in card()


def test_card_states_what_is_done_to_the_coefficients():
    how = ClassifierConfig(logarithm=True, lungs_only=True)
    text = card(config=CLASSIFIER.model_copy(update={"classifier": how}))
    assert "order 2, as logarithms, 0 outside the lungs); classes" in text
    assert "order 2); classes" in card(config=CLASSIFIER)


def test_card_says_what_is_not_known():
    text = card(Facts())
    for words in ("is not recorded", "has not been evaluated yet", "that does not prove that there are none"):
        assert words in text


def test_notes_end_the_card():
    assert card(facts(notes="Trained in winter.\n")).endswith("## Notes\n\nTrained in winter.\n")


def test_cell_with_a_bar_does_not_break_a_table():
    source = DATA.sources[0].model_copy(update={"source": "a|b"})
    assert "| a\\|b |" in card(facts(data=DATA.model_copy(update={"sources": (source,)})))


def test_evaluations_of_one_name_are_refused():
    with pytest.raises(ValidationError, match="give each a name of its own"):
        facts(evaluation(), evaluation())


def test_bundle_with_facts_reads_back_and_its_card_follows_from_them(tmp_path):
    files = {name: data for name, data in FILES.items() if name != CARD}
    bundle = write_bundle(tmp_path / "lungs", CONFIG_OF_LUNGS, files, facts=facts())
    assert bundle.facts == facts()
    assert bundle.card == render_card(CONFIG_OF_LUNGS, facts(), bundle.sha256)


def test_facts_can_be_added_and_the_model_keeps_its_name(bundle):
    text = write_facts(bundle, facts())
    assert text.sha256 == bundle.sha256
    assert read_bundle(bundle.folder) == text
    assert "0.953 [0.943, 0.963]" in (bundle.folder / CARD).read_text()


def test_changed_facts_are_noticed(bundle):
    write_facts(bundle, facts())
    path = bundle.folder / FACTS
    path.write_text(path.read_text().replace("0.953", "0.993"))
    with pytest.raises(BundleError, match=r"facts\.json has changed since the bundle was written"):
        read_bundle(bundle.folder)


def test_facts_of_another_form_are_refused(bundle):
    (write_facts(bundle, facts()).folder / FACTS).write_text('{"format": 2}')
    list_again(bundle.folder)
    with pytest.raises(BundleError, match=r"lungs: format in facts\.json: Input should be 1; made by another version"):
        read_bundle(bundle.folder)


def test_facts_are_not_written_into_another_model(bundle):
    write_bundle(bundle.folder, CONFIG_OF_LUNGS.model_copy(update={"version": "9.0"}), FILES, overwrite=True)
    with pytest.raises(BundleError, match="lungs: has changed since it was read"):
        write_facts(bundle, facts())
    assert not (bundle.folder / FACTS).exists()


def test_facts_with_a_hand_written_card_are_refused(tmp_path):
    with pytest.raises(BundleError, match="lungs: has facts and a card"):
        write_bundle(tmp_path / "lungs", CONFIG_OF_LUNGS, FILES, facts=facts())


def test_checksums_hold_all_files(bundle):
    text = write_facts(bundle, facts())
    assert {path.name for path in text.folder.iterdir()} == {*FILES, FACTS, CHECKSUMS, "config.json"}
