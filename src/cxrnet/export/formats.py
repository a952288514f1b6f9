"""A bundle in the forms that other programs load: ONNX, TorchScript, a model-hub folder, a MONAI bundle."""

import json
import warnings
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from cxrnet.atomic import write_atomic
from cxrnet.errors import BundleError, UsageError
from cxrnet.export.bundle import load_network
from cxrnet.model.bundle import CARD, CONFIG, GRAPH, README, SEGMENTER, Bundle
from cxrnet.model.segmenter_classes import lung_channels
from cxrnet.nn.network import Network

Format = Literal["onnx", "torchscript", "hub", "monai-bundle"]

_MONAI_SCHEMA = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
)
_HUB_README = """---
license: apache-2.0
library_name: cxrnet
pipeline_tag: {task}
tags: [chest-radiograph, x-ray, lung-segmentation, wavelet-scattering, medical-imaging]
---

# {label}

{description}. **For research only: not a medical device, not for diagnosis.**

    pip install 'cxrnet[train]'

```python
{example}
```

`weights.safetensors` holds the weights of the whole network, `config.json` its structure and how images are prepared.

{card}
"""

_CLASSIFIER_EXAMPLE = """import torch
from cxrnet.export.pretrained import RadiographNetwork, prepare_image

network = RadiographNetwork.from_pretrained(".")  # this folder
image = prepare_image("chest.dcm", network.config.preparation)
{line}with torch.inference_mode():
    print(network(torch.from_numpy(image)[None]{given}).scores)  # not calibrated; Pipeline.load(".") is"""

_PATIENT_LINE = """values = {}  # column -> text; what is left out is missing
patient = torch.from_numpy(network.config.classifier.patient.encode(values).inputs)[None]
"""

_SEGMENTER_EXAMPLE = """import torch
from cxrnet import open_bundle
from cxrnet.export.pretrained import LungSegmenter, prepare_image

segmenter = LungSegmenter.from_pretrained(".")  # this folder
image = prepare_image("chest.dcm", open_bundle(".").config.preparation)
with torch.inference_mode():
    print(segmenter.lung_probability(torch.from_numpy(image)[None, None] / 255))"""


def export_bundle(bundle: Bundle, folder: Path, kind: Format) -> Path:
    """Write a bundle in another form into a new folder; return the folder."""
    if kind not in get_args(Format):
        raise UsageError(f"format: {kind!r} is not known; choose {', '.join(get_args(Format))}")
    if folder.exists() and any(folder.iterdir()):
        raise BundleError(f"{folder}: exists already; choose another folder")
    writers: dict[Format, Callable[[Bundle], Mapping[str, bytes]]] = {
        "onnx": _onnx,
        "torchscript": _torchscript,
        "hub": _hub,
        "monai-bundle": _monai,
    }
    for name, content in writers[kind](bundle).items():
        write_atomic(folder / name, content)
    return folder


def _onnx(bundle: Bundle) -> dict[str, bytes]:
    names = [CONFIG, CARD, SEGMENTER, *([GRAPH] if bundle.config.classifier else [])]
    return {name: (bundle.folder / name).read_bytes() for name in names}


def _torchscript(bundle: Bundle) -> dict[str, bytes]:
    """Traced modules: `network.pt` from uint8 [batch, height, width], `segmenter.pt` from float [batch, 1, h, w].

    With patient data `network.pt` has a second input, float [batch, input].
    """
    network, config = load_network(bundle), bundle.config
    files = {"segmenter.pt": traced(network.segmenter, torch.rand(2, 1, 96, 112))}
    if config.classifier is not None:
        size = config.preparation.height, config.preparation.width
        example = torch.randint(0, 256, (2, *size), dtype=torch.uint8)
        columns = config.classifier.patient
        files["network.pt"] = traced(
            network, example, *(() if columns is None else [torch.rand(2, len(columns.inputs))])
        )
    return {**files, CONFIG: (bundle.folder / CONFIG).read_bytes(), CARD: bundle.card.encode()}


def traced(module: nn.Module, *example: Tensor) -> bytes:
    """Return a module as TorchScript, traced on example inputs and compared with it on another batch size."""
    first = [each[:1] for each in example]
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constants that depend on the image size, and TorchScript's deprecation
        script = torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call]
        for have, want in zip(_tensors(script(*first)), _tensors(module(*first)), strict=True):
            torch.testing.assert_close(have, want, rtol=1e-4, atol=1e-4)
        buffer = BytesIO()
        torch.jit.save(script, buffer)
    return buffer.getvalue()


def _tensors(output: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (output,) if isinstance(output, Tensor) else tuple(output)


def _hub(bundle: Bundle) -> dict[str, bytes]:
    """The bundle's own files, which `from_pretrained` reads, and a README with the metadata that a hub shows."""
    config = bundle.config
    has_classifier = config.classifier is not None
    line, given = (_PATIENT_LINE, ", patient") if config.patient_columns else ("", "")
    readme = _HUB_README.format(
        task="image-classification" if has_classifier else "image-segmentation",
        label=bundle.label,
        description=config.description,
        example=_CLASSIFIER_EXAMPLE.format(line=line, given=given) if has_classifier else _SEGMENTER_EXAMPLE,
        card=bundle.card,
    )
    own = {path.name: path.read_bytes() for path in sorted(bundle.folder.iterdir()) if path.is_file()}
    return {**own, README: readme.encode()}


def _monai(bundle: Bundle) -> dict[str, bytes]:
    """The segmenter as a MONAI bundle: `python -m monai.bundle run --config_file configs/inference.json`."""
    network, config = load_network(bundle), bundle.config
    buffer = BytesIO()
    torch.save(network.segmenter.state_dict(), buffer)
    classes = config.segmenter.classes
    readme = (
        f"# {bundle.label}: lung segmentation\n\n{config.description}. For research only; not a medical device.\n\n"
        "    pip install 'cxrnet[train]' monai pytorch-ignite\n"
        "    python -m monai.bundle run --config_file configs/inference.json --bundle_root . --input_dir images\n\n"
        "Reads every file in `input_dir` that cxrnet reads (DICOM, PNG, JPEG, TIFF) and writes the lungs of each to\n"
        "`eval/`, as a PNG at the size of the prepared image.\n"
    )
    return {
        "configs/metadata.json": _json(_monai_metadata(bundle, network)),
        "configs/inference.json": _json(_monai_inference(bundle)),
        "models/model.pt": buffer.getvalue(),
        "docs/README.md": readme.encode(),
        "docs/classes.json": _json({str(index): name for index, name in enumerate(classes)}),
    }


def _monai_metadata(bundle: Bundle, network: Network) -> dict[str, Any]:
    from importlib.metadata import version

    config = bundle.config
    size = [config.preparation.height, config.preparation.width]
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": "CR",
        "num_channels": 1,
        "spatial_shape": size,
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": False,
        "channel_def": {"0": "image"},
    }
    classes = {str(index): name for index, name in enumerate(config.segmenter.classes)}
    probability = {**image, "format": "segmentation", "num_channels": len(classes), "channel_def": classes}
    return {
        "schema": _MONAI_SCHEMA,
        "version": config.version,
        "changelog": {config.version: f"exported from {bundle.label}"},
        "monai_version": "1.4.0",
        "pytorch_version": torch.__version__.partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {"cxrnet": version("cxrnet"), "pytorch-ignite": "0.5.0"},
        "name": config.name,
        "task": "Lung segmentation in frontal chest radiographs",
        "description": f"{config.description}. For research only; not a medical device.",
        "authors": "The cxrnet developers",
        "copyright": "Copyright the cxrnet developers; Apache-2.0",
        "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": probability}},
    }


def _monai_inference(bundle: Bundle) -> dict[str, Any]:
    """The components of the bundle; `_target_` names the class that MONAI makes each from."""
    config = bundle.config
    to_mask = {"_target_": "AsDiscreted", "keys": "pred", "argmax": True}
    save = {
        "_target_": "SaveImaged",
        "keys": "pred",
        "output_dir": "@output_dir",
        "output_ext": ".png",
        "output_postfix": "lungs",
        "resample": False,
        "separate_folder": False,
    }
    is_lung = " | ".join(f"(labels == {channel})" for channel in lung_channels(config.segmenter.classes))
    lungs = {
        "_target_": "Lambdad",
        "keys": "pred",
        "func": f"$lambda labels: (({is_lung}) * 255).transpose(-1, -2)",
    }
    network = f"SegmenterConfig.model_validate_json({config.segmenter.model_dump_json()!r})"
    return {
        "imports": [
            "$from pathlib import Path",
            "$from cxrnet.export.pretrained import prepared_tensor",
            "$from cxrnet.model.config import SegmenterConfig",
        ],
        "bundle_root": ".",
        "input_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cpu')",
        "preparation": {
            "_target_": "cxrnet.model.config.PreparationConfig",
            **config.preparation.model_dump(mode="json"),
        },
        "network_def": {
            "_target_": "cxrnet.nn.segmenter.Segmenter",
            "config": f"${network}",
        },
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Lambdad", "keys": "image", "func": "$lambda path: prepared_tensor(path, @preparation)"}
            ],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': str(path)} for path in sorted(Path(@input_dir).iterdir())]",
            "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": {"_target_": "SimpleInferer"},
        "postprocessing": {"_target_": "Compose", "transforms": [to_mask, lungs, save]},
        "handlers": [
            {
                "_target_": "CheckpointLoader",
                "load_path": "$@bundle_root + '/models/model.pt'",
                "load_dict": {"model": "@network"},
            }
        ],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
        },
        "run": ["$@evaluator.run()"],
    }


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()
