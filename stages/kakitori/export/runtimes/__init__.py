"""Other runtimes than ONNX Runtime, each really run, in an environment of its own."""
