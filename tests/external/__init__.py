"""The engine against PyTorch's and ONNX's values; `make test-external` runs these."""
