"""Make smear's encoder for ONNX Runtime: its trained weights, then static INT8 as for LiteRT, with U8S8 as ORT advises.

Ranges are read off the pictures that the SDK ships. They are few, but the file is timed and never asked for cells.
Source: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peer.place import ROOT

_CHECKPOINT = ROOT / "build" / "smear" / "vision.pt"


def write_float(target: Path) -> None:
    """Write the encoder in floats; it takes and gives what the bundle's own does."""
    import torch

    sys.path.insert(0, str(ROOT / "models" / "smear"))
    from vision import load_vision

    if not _CHECKPOINT.exists():
        raise SystemExit(f"{_CHECKPOINT} is not there: train it as models/smear/README.md says.")
    encoder = load_vision(_CHECKPOINT).encoder

    class Wrapped(torch.nn.Module):
        def forward(self, images: Any) -> Any:
            return self.encoder(images.permute(0, 3, 1, 2)).permute(0, 2, 3, 1).flatten(1, 2)

    wrapped = Wrapped()
    wrapped.encoder = encoder
    sample = (torch.rand(1, 288, 288, 3),)
    names = {"input_names": ["images"], "output_names": ["features"]}
    torch.onnx.export(wrapped.eval(), sample, str(target), dynamo=False, opset_version=17, **names)


def quantize(source: Path, target: Path) -> None:
    """Write the same in static INT8."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Pictures(CalibrationDataReader):
        def __init__(self) -> None:
            self._left = _samples()

        def get_next(self) -> dict[str, Any] | None:
            return next(self._left, None)

    prepared = target.with_suffix(".prepared")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)  # that would need sympy
    kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8, "per_channel": True}
    quantize_static(str(prepared), str(target), Pictures(), quant_format=QuantFormat.QDQ, **kinds)
    prepared.unlink()


def _samples() -> Iterator[dict[str, Any]]:
    from peer.picture import as_input, read_picture

    for path in sorted((ROOT / "edge_sdk" / "data" / "photos").glob("*.jpg")):
        yield {"images": as_input(read_picture(path))}
