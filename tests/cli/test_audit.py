from __future__ import annotations

from tests.evaluation.material import write_images


def test_evaluate_audit_prints_the_effects(cxrnet, small_bundle, tmp_path):
    films, out = write_images(tmp_path / "films", count=2)[0], tmp_path / "out"
    words = ("--bundle", small_bundle, "--manifest", films, "--out", out, "--changes", "reference", "--resamples", 0)
    said = cxrnet("evaluate", "audit", *words)
    assert said.code == 0
    assert "mean of reference" in said.out
    assert (out / "metrics.json").is_file()


def test_evaluate_audit_names_the_sets_of_changes(cxrnet, small_bundle, tmp_path):
    films = write_images(tmp_path / "films", count=2)[0]
    words = ("--bundle", small_bundle, "--manifest", films, "--out", tmp_path / "out", "--changes", "some")
    said = cxrnet("evaluate", "audit", *words)
    assert said.code == 2
    assert "all, middle, reference" in said.err
