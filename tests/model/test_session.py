import onnxruntime
import pytest

from cxrnet.errors import BundleError, UsageError
from cxrnet.model.bundle import GRAPH
from cxrnet.model.session import PROVIDERS, Session, check_provider


def test_unknown_provider_is_refused():
    with pytest.raises(UsageError, match="--provider tpu: is not known; choose from cpu, openvino, cuda, coreml"):
        check_provider("tpu")


def test_provider_is_checked_before_the_graph_is_opened(small_bundle):
    with pytest.raises(UsageError, match="--provider tpu: is not known"):
        Session(small_bundle / GRAPH, provider="tpu")


def test_provider_that_is_not_installed_names_its_package(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(UsageError, match="OpenVINOExecutionProvider is not in this onnxruntime"):
        check_provider("openvino")


def test_provider_that_does_not_work_is_not_replaced_in_silence(monkeypatch, small_bundle):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(PROVIDERS.values()))
    real = onnxruntime.InferenceSession

    def fallen_back(path, options, providers):
        assert providers[0] == "CUDAExecutionProvider"
        return real(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", fallen_back)
    with pytest.raises(BundleError, match="--provider cuda: cannot be used"):
        _ = Session(small_bundle / "graph.onnx", provider="cuda").opened


@pytest.mark.parametrize("threads", ["2", 0, -1, 10**6, 1.5, True, [1]])
def test_threads_that_are_no_small_whole_number_are_refused(small_bundle, threads):
    with pytest.raises(UsageError, match=r"^threads=.* is not a whole number of 1 to 1024"):
        Session(small_bundle / GRAPH, threads=threads)
