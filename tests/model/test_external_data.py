import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cxrnet.errors import BundleError
from cxrnet.model.session import Session


def elsewhere(place="../../secret.bin"):
    """A tensor whose values are in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2])
    onnx.external_data_helper.set_external_data(_with_raw(tensor), place)
    tensor.ClearField("raw_data")
    return tensor


def _with_raw(tensor):
    tensor.raw_data = np.zeros(2, np.float32).tobytes()
    return tensor


def model(*, initializer=(), nodes=(), functions=()):
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    nodes = list(nodes) or [helper.make_node("Constant", [], ["y"], value=numpy_helper.from_array(np.zeros(2, "f4")))]
    graph = helper.make_graph(nodes, "g", [], [output], initializer=list(initializer))
    made = helper.make_model(graph, functions=list(functions), opset_imports=[helper.make_opsetid("", 18)])
    return made.SerializeToString()


def nested():
    """A graph in a node of a graph, as in the branch of an `If`."""
    inner = helper.make_graph([helper.make_node("Constant", [], ["z"], value=elsewhere())], "inner", [], [])
    return model(nodes=[helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)])


def sparse():
    one = onnx.SparseTensorProto(values=elsewhere(), dims=[2])
    made = onnx.ModelProto.FromString(model())
    made.graph.sparse_initializer.append(one)
    return made.SerializeToString()


def in_a_function():
    node = helper.make_node("Constant", [], ["z"], value=elsewhere())
    return model(functions=[helper.make_function("d", "f", [], ["z"], [node], [helper.make_opsetid("", 18)])])


CASES = {
    "initializer": lambda: model(initializer=[elsewhere()]),
    "absolute": lambda: model(initializer=[elsewhere("/etc/passwd")]),
    "same folder": lambda: model(initializer=[elsewhere("weights.bin")]),
    "attribute": lambda: model(nodes=[helper.make_node("Constant", [], ["y"], value=elsewhere())]),
    "nested": nested,
    "sparse": sparse,
    "function": in_a_function,
}


@pytest.mark.parametrize("case", CASES)
def test_graph_with_data_elsewhere_is_refused(tmp_path, case):
    path = tmp_path / "graph.onnx"
    path.write_bytes(CASES[case]())
    with pytest.raises(BundleError, match=r"^graph\.onnx: keeps weights in another file; a graph of a bundle is one"):
        _ = Session(path).opened


@pytest.mark.parametrize("data", [b"", b"graph", b"\xff" * 30, b"\x3a\xff\xff\xff\xff\x0f", b"\x0b\x0c"])
def test_what_is_no_graph_is_refused(tmp_path, data):
    path = tmp_path / "graph.onnx"
    path.write_bytes(data)
    with pytest.raises(BundleError, match=r"^graph\.onnx: cannot be opened as an ONNX graph"):
        _ = Session(path).opened


def test_missing_graph_is_named(tmp_path):
    with pytest.raises(BundleError, match=r"^graph\.onnx: cannot be opened"):
        _ = Session(tmp_path / "graph.onnx").opened
