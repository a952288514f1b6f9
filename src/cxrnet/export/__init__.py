"""From a network to what is shipped: ONNX graphs, published Keras weights, bundles."""
