import onnxruntime
import pytest

from cxrnet.errors import BundleError, UsageError
from cxrnet.model.session import PROVIDERS, check_provider, open_session


def test_unknown_provider_is_refused():
    with pytest.raises(UsageError, match="--provider tpu: is not known; choose from cpu, openvino, cuda, coreml"):
        check_provider("tpu")


def test_provider_that_is_not_installed_names_its_package(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(UsageError, match="this onnxruntime has no OpenVINOExecutionProvider; install onnxruntime-open"):
        check_provider("openvino")


def test_provider_that_does_not_work_is_not_replaced_in_silence(monkeypatch, small_bundle):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(PROVIDERS.values()))
    real = onnxruntime.InferenceSession

    def fallen_back(path, options, providers):
        assert providers[0] == "CUDAExecutionProvider"
        return real(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", fallen_back)
    with pytest.raises(BundleError, match="--provider cuda: is installed and cannot be used"):
        open_session(small_bundle / "graph.onnx", provider="cuda")
