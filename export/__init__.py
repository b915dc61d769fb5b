"""From a checkpoint to a bundle.

- `graphs`: the ONNX graphs, written from arrays.
- `contract`: what a bundle's graphs must be, as code.
- `parity`: PyTorch against ONNX Runtime.
- `bundle_writer`: `export_bundle`, checkpoint to bundle folder.
- `model_card`: MODEL_CARD.md.
- `reference`: the authors' own model and figures in this runtime.
"""
