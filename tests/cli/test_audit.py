import shutil

from tests.evaluation.material import write_images


def test_evaluate_audit_prints_the_effects_and_the_card_has_them(cxrnet, small_bundle, tmp_path):
    bundle, out = shutil.copytree(small_bundle, tmp_path / "small"), tmp_path / "out"
    images = write_images(tmp_path / "images", count=2)[0]
    words = ("--bundle", bundle, "--manifest", images, "--out", out, "--changes", "reference", "--parts", "stability")
    said = cxrnet("evaluate", "audit", *words, "--resamples", 0)
    assert said.code == 0
    assert "mean of reference" in said.out
    assert cxrnet("weights", "card", bundle, "--audit", out).code == 0
    assert "| mean of the set reference |" in (bundle / "card.md").read_text()
    record = (out / "metrics.json").read_text().replace('"sha256": "', '"sha256": "0', 1)
    (out / "metrics.json").write_text(record)
    assert cxrnet("weights", "card", bundle, "--audit", out).code == 2


def test_evaluate_audit_names_the_sets_of_changes(cxrnet, small_bundle, tmp_path):
    images = write_images(tmp_path / "images", count=2)[0]
    words = ("--bundle", small_bundle, "--manifest", images, "--out", tmp_path / "out", "--changes", "some")
    said = cxrnet("evaluate", "audit", *words)
    assert said.code == 2
    assert "all, middle, reference" in said.err
