"""Networks and files that are known and not imported: what they are, and the way to an ONNX file that ``export`` takes.

A row of ``NETWORKS`` tells a family by the names and shapes of its parameters, or by the classes that its pickle names;
a row of ``FILES`` tells a format by how a file begins, what it is called or what it holds. Sources of the names:

* pochih/FCN-pytorch (956e412) ``python/fcn.py``, bat67/pytorch-FCN-easiest-demo (33e4ede) ``FCN.py``
* meetps/pytorch-semseg (e555b39 and 068297e) ``ptsemseg/models/fcn.py``
* zijundeng/pytorch-semantic-segmentation (4a2fade) ``models/fcn8s.py``, and ``fcn16s.py`` and ``fcn32s.py`` beside it
* torchvision 0.29.1 ``models/segmentation/deeplabv3.py`` and ``lraspp.py``
* segmentation_models_pytorch 0.6.0 ``base/heads.py``, the ``segmentation_head`` of each model
* SegFormer: ``modeling_segformer.py`` of transformers (``linear_c``), NVlabs/SegFormer's head (``linear_c1``) and
  mmsegmentation 1.2.2 ``decode_heads/segformer_head.py`` (``fusion_conv``)
* mmsegmentation 1.2.2 ``decode_heads/decode_head.py`` (``conv_seg``) and ``fcn_head.py`` (``convs``),
  ``segmentors/cascade_encoder_decoder.py``, ``backbones/resnet.py`` and ``mobilenet_v2.py``
* Ultralytics 8.4.190 ``nn/tasks.py``
* tf2onnx 1.17.0 ``convert.py`` and torch 2.13 for what the commands take and the files hold
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fcn_edge.errors import CheckpointError
from fcn_edge.text import quoted

__all__ = [
    "FILES",
    "NETWORKS",
    "SAVED_MODEL",
    "FileRow",
    "NetworkRow",
    "Recognized",
    "recognized_file",
    "recognized_network",
]

Shape = tuple[int | None, ...]

_EXPORT = (
    "torch.onnx.export({net}, (torch.zeros(1, 3, 480, 640),), 'net.onnx', input_names=['image'], "
    "output_names=['scores'], {kind}=False)"
)
"""A call that torch 2.6 and later take; without external data the weights are in the same file."""

_TORCH = "PyTorch 2.6 or later, onnx and onnxscript"
_THEN = ", and give net.onnx to fcn-edge export with the --classes, --mean, --std and --color-order of its training."


def _rebuilt(net: str, *, loads: bool = False) -> str:
    """The fix where only the network's own code can run it.

    Args:
        net: How it is made there.
        loads: That loads the weights, too.
    """
    call = _EXPORT.format(net="net.eval()", kind="external_data")
    made = f"make {net}" if loads else f"make {net}, load the weights into it"
    return f"Where its code is, {made} and run {call} with {_TORCH}{_THEN}"


def _run(statements: str) -> str:
    return f'python -c "import sys, torch; {statements}" FILE'


@dataclass(frozen=True)
class Recognized:
    """A file that is known and not imported.

    Attributes:
        name: What the network or the format is called.
        about: What the file is and why it is not imported, to go on after "FILE is".
        fix: The way to an ONNX file; ``FILE`` stands for the file's path, ``FOLDER`` for that of its folder.
    """

    name: str
    about: str
    fix: str

    def error(self, path: Path) -> CheckpointError:
        """The error that says so of the file at a path."""
        paths = {"FILE": quoted(path), "FOLDER": quoted(path.parent)}
        fix = re.sub(r"\b(FILE|FOLDER)\b", lambda found: paths[found[0]], self.fix)
        return CheckpointError(f"{path} is {self.about}.", fix)


@dataclass(frozen=True)
class NetworkRow:
    """How a family of networks is told.

    Attributes:
        network: What is said of it.
        keys: Ends of the names of parameters that all stand behind one prefix, and their shapes; None is any size.
        without: Ends of names none of which stands behind that prefix.
        named: Pattern of the full name of a class that the pickle names; empty where classes do not matter.
    """

    network: Recognized
    keys: Mapping[str, Shape] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    named: str = ""

    def fits(self, keys: Mapping[str, tuple[int, ...]], named: Collection[str]) -> bool:
        """Whether parameters, and names in a pickle, are of this family."""
        if self.named and not any(re.fullmatch(self.named, name) for name in named):
            return False
        ends = list(self.keys)
        if not ends:
            return True
        prefixes = [key.removesuffix(ends[0]) for key in keys if f".{key}".endswith(f".{ends[0]}")]
        return any(self._stands_behind(prefix, keys) for prefix in prefixes)

    def _stands_behind(self, prefix: str, keys: Mapping[str, tuple[int, ...]]) -> bool:
        for end, wanted in self.keys.items():
            shape = keys.get(prefix + end, ())
            if len(shape) != len(wanted):
                return False
            if any(want not in (None, size) for size, want in zip(shape, wanted, strict=True)):
                return False
        return not any(prefix + end in keys for end in self.without)


@dataclass(frozen=True)
class FileRow:
    """How a format is told; every attribute that is not empty must fit.

    Attributes:
        format: What is said of it.
        begins: The file's first bytes.
        called: Pattern of its name.
        holds: Patterns of names of members of a zip archive.
    """

    format: Recognized
    begins: bytes = b""
    called: str = ""
    holds: tuple[str, ...] = ()

    def fits(self, start: bytes, name: str, members: Collection[str]) -> bool:
        """Whether a file is of this format."""
        return (
            start.startswith(self.begins)
            and (not self.called or re.fullmatch(self.called, name) is not None)
            and all(any(re.fullmatch(pattern, member) for member in members) for pattern in self.holds)
        )


def recognized_network(keys: Mapping[str, tuple[int, ...]], named: Collection[str]) -> Recognized | None:
    """The family that a weights file is of, where it is one that is known and not imported.

    Args:
        keys: Shape of each parameter and buffer by its name, with or without the prefixes of wrappers.
        named: Full names of the classes and functions that the file's pickle names; empty for other formats.
    """
    return next((row.network for row in NETWORKS if row.fits(keys, named)), None)


def recognized_file(start: bytes, name: str, members: Collection[str] = ()) -> Recognized | None:
    """The format that a file is in, where it is one that is known and not read.

    Args:
        start: The file's first bytes, 8 or more.
        name: Its name, without the directory.
        members: Names of the members where it is a zip archive.
    """
    return next((row.format for row in FILES if row.fits(start, name, members)), None)


_CONV: Shape = (None, None, None, None)
_SCORE: Shape = (None, None, 1, 1)

_EASY_FCN: dict[str, Shape] = {
    "pretrained_net.features.0.weight": (64, 3, 3, 3),
    "deconv1.weight": (512, 512, 3, 3),
    "deconv5.weight": (64, 32, 3, 3),
    "classifier.weight": (None, 32, 1, 1),
}
_EASY_FCN_IS = "pochih/FCN-pytorch or bat67/pytorch-FCN-easiest-demo"

_MMSEG_FIX = _rebuilt(
    "net = mmengine.model.revert_sync_batchnorm(mmseg.apis.init_model(CONFIG, CHECKPOINT, device='cpu'))", loads=True
)

NETWORKS: tuple[NetworkRow, ...] = (
    NetworkRow(
        Recognized(
            "FCN-pytorch, whole",
            f"a pickled network of {_EASY_FCN_IS}, which only its own code can run",
            f"If you trust the file, run what is in it where its fcn.py or FCN.py is, with {_TORCH}: "
            + _run(
                "net = torch.load(sys.argv[1], map_location='cpu', weights_only=False); "
                "net = getattr(net, 'module', net); " + _EXPORT.format(net="net.eval()", kind="external_data")
            )
            + _THEN,
        ),
        _EASY_FCN,
        named=r".*\bFCN(32s|16s|8s|s)",
    ),
    NetworkRow(
        Recognized(
            "FCN-pytorch",
            f"a network of {_EASY_FCN_IS}, whose four decoders have the same parameters: it does not say which it is",
            _rebuilt("net = FCNs(VGGNet(pretrained=False), CLASSES), or the other class that it was"),
        ),
        _EASY_FCN,
    ),
    NetworkRow(
        Recognized(
            "pytorch-semseg",
            "an FCN of meetps/pytorch-semseg, whose versions upsample the same parameters in different ways",
            _rebuilt("net = fcn8s(n_classes=CLASSES), or the fcn16s or fcn32s that it was"),
        ),
        {"conv_block1.0.weight": (64, 3, 3, 3), "classifier.0.weight": (4096, 512, 7, 7)},
    ),
    NetworkRow(
        Recognized(
            "pytorch-semantic-segmentation",
            "an FCN of zijundeng/pytorch-semantic-segmentation, whose parameters have names of their own",
            _rebuilt("net = FCN8s(CLASSES, pretrained=False), or the FCN16VGG or FCN32VGG that it was"),
        ),
        {
            "score_fr.6.weight": (None, 4096, 1, 1),
            "score_fr.0.weight": (4096, 512, 7, 7),
            "features5.0.weight": (None, None, 3, 3),
        },
    ),
    NetworkRow(
        Recognized(
            "DeepLabV3",
            "a DeepLabV3 of torchvision, which is no FCN",
            _rebuilt(
                "net = torchvision.models.segmentation.deeplabv3_resnet50(weights_backbone=None, num_classes=CLASSES, "
                "aux_loss=True), or the sibling that it was"
            ),
        ),
        {"classifier.0.convs.0.0.weight": _SCORE, "classifier.0.project.0.weight": _SCORE},
    ),
    NetworkRow(
        Recognized(
            "LRASPP",
            "an LRASPP of torchvision, which is no FCN",
            _rebuilt(
                "net = torchvision.models.segmentation.lraspp_mobilenet_v3_large(weights_backbone=None, "
                "num_classes=CLASSES)"
            ),
        ),
        {"classifier.low_classifier.weight": _SCORE, "classifier.high_classifier.weight": _SCORE},
    ),
    NetworkRow(
        Recognized(
            "segmentation_models_pytorch",
            "a network of segmentation_models_pytorch, which has U-Net, FPN, Linknet and others and no FCN",
            _rebuilt("net with the class of segmentation_models_pytorch and the encoder that it was"),
        ),
        {"segmentation_head.0.weight": _CONV, "segmentation_head.0.bias": (None,)},
    ),
    NetworkRow(
        Recognized(
            "SegFormer of transformers",
            "a SegFormer of Hugging Face's transformers, which is no FCN",
            "With the config.json beside the file, run optimum-cli export onnx --model FOLDER onnx/"
            + _THEN.replace("net.onnx", "onnx/model.onnx"),
        ),
        {"decode_head.linear_c.0.proj.weight": (None, None), "decode_head.classifier.weight": _SCORE},
    ),
    NetworkRow(
        Recognized(
            "SegFormer",
            "a SegFormer of NVlabs, which is no FCN",
            _rebuilt(
                "net = mmseg.apis.init_segmentor(CONFIG, CHECKPOINT, device='cpu'), net.forward = net.forward_dummy",
                loads=True,
            ),
        ),
        {"decode_head.linear_c1.proj.weight": (None, None), "decode_head.linear_pred.weight": _SCORE},
    ),
    NetworkRow(
        Recognized("SegFormer of mmsegmentation", "a SegFormer of mmsegmentation, which is no FCN", _MMSEG_FIX),
        {"decode_head.fusion_conv.conv.weight": _SCORE, "decode_head.conv_seg.weight": _SCORE},
    ),
    NetworkRow(
        Recognized(
            "cascade of mmsegmentation",
            "a network of mmsegmentation with one head after another, such as OCRNet, which is no FCN",
            _MMSEG_FIX,
        ),
        {"decode_head.0.conv_seg.weight": _SCORE},
    ),
    NetworkRow(
        Recognized("mmsegmentation", "a network of mmsegmentation with a head other than its FCN head", _MMSEG_FIX),
        {"decode_head.conv_seg.weight": _SCORE},
        without=("decode_head.convs.0.conv.weight",),
    ),
    NetworkRow(
        Recognized(
            "backbone of mmsegmentation",
            "a network of mmsegmentation whose FCN head stands on another backbone than a ResNet or a MobileNetV2",
            _MMSEG_FIX,
        ),
        {"decode_head.conv_seg.weight": _SCORE, "decode_head.convs.0.conv.weight": _CONV},
        without=("backbone.layer4.0.conv1.weight", "backbone.layer7.0.conv.0.conv.weight"),
    ),
    NetworkRow(
        Recognized(
            "Ultralytics",
            "a pickled network of Ultralytics, which only its own code can run",
            "Run yolo export model=FILE format=onnx and give fcn-edge export the ONNX file that it writes.",
        ),
        named=r"ultralytics\.nn\.tasks\.SemanticSegmentationModel",
    ),
    NetworkRow(
        Recognized(
            "Ultralytics, another task",
            "a network of Ultralytics for another task than semantic segmentation",
            "Take one for it, such as yolo26n-sem.pt, and run yolo export model=yolo26n-sem.pt format=onnx.",
        ),
        named=r"ultralytics\.nn\.tasks\.\w+",
    ),
)
"""The families, the narrower before the wider."""

_KERAS_FIX = (
    "In TensorFlow, end the model at its class scores of (rows, columns, classes), before any Reshape, and save it by "
    "model.save('net.h5'); then run python -m tf2onnx.convert --keras net.h5 --output net.onnx --inputs-as-nchw INPUT "
    "--outputs-as-nchw OUTPUT with the names of its input and output" + _THEN
)
_TENSORFLOW_FIX = (
    "Run python -m tf2onnx.convert --saved-model FOLDER --output net.onnx --inputs-as-nchw INPUT --outputs-as-nchw "
    "OUTPUT with the names of its image and its class scores" + _THEN
)
_FROZEN_FIX = _TENSORFLOW_FIX.replace("--saved-model FOLDER", "--graphdef FILE --inputs INPUT --outputs OUTPUT")

SAVED_MODEL = "saved_model.pb"
"""File of a SavedModel that holds its graph."""

FILES: tuple[FileRow, ...] = (
    FileRow(
        Recognized("Keras HDF5", "an HDF5 file, as Keras writes models and weights", _KERAS_FIX),
        begins=b"\x89HDF\r\n\x1a\n",
    ),
    FileRow(Recognized("Keras", "a model of Keras", _KERAS_FIX), holds=(r"config\.json", r"model\.weights\.h5")),
    FileRow(
        Recognized("TensorFlow SavedModel", "a part of a SavedModel of TensorFlow", _TENSORFLOW_FIX),
        called=re.escape(SAVED_MODEL),
    ),
    FileRow(
        Recognized("TensorFlow graph", "a graph of TensorFlow", _FROZEN_FIX),
        begins=b"\n",
        called=r".+\.pb",
    ),
    FileRow(
        Recognized("TensorFlow checkpoint", "a part of a checkpoint of TensorFlow", _KERAS_FIX),
        called=r".+\.(index|data-\d{5}-of-\d{5})",
    ),
    FileRow(
        Recognized(
            "torch.export",
            "a program of torch.export, which is a graph and no checkpoint",
            f"With {_TORCH} run "
            + _run(
                "torch.onnx.export(torch.export.load(sys.argv[1]), (), 'net.onnx', input_names=['image'], "
                "output_names=['scores'], dynamo=True, external_data=False)"
            )
            + _THEN,
        ),
        holds=(r"(.*/)?(models/model\.json|serialized_exported_program\.json)",),
    ),
    FileRow(
        Recognized(
            "TorchScript",
            "a TorchScript program, which is code with its weights and no checkpoint",
            f"If you trust the file, run it with {_TORCH}: "
            + _run(
                "net = torch.jit.load(sys.argv[1], map_location='cpu'); "
                + _EXPORT.format(net="net.eval()", kind="dynamo")
            )
            + _THEN,
        ),
        holds=(r"(.*/)?constants\.pkl", r"(.*/)?code/.+"),
    ),
)
"""The formats."""
