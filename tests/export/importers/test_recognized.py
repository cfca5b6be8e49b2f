from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.errors import CheckpointError
from fcn_edge.export.importers.recognized import (
    FILES,
    NETWORKS,
    FileRow,
    NetworkRow,
    recognized_file,
    recognized_network,
)

Shapes = dict[str, tuple[int, ...]]

EASY_FCN: Shapes = {
    "pretrained_net.features.0.weight": (64, 3, 3, 3),
    "pretrained_net.features.0.bias": (64,),
    "deconv1.weight": (512, 512, 3, 3),
    "bn1.running_mean": (512,),
    "deconv5.weight": (64, 32, 3, 3),
    "classifier.weight": (20, 32, 1, 1),
}
VGG: Shapes = {
    "conv1_1.weight": (64, 3, 3, 3),
    "conv5_3.weight": (512, 512, 3, 3),
    "fc6.weight": (4096, 512, 7, 7),
    "fc7.weight": (4096, 4096, 1, 1),
    "score_fr.weight": (21, 4096, 1, 1),
    "score_pool4.weight": (21, 512, 1, 1),
    "score_pool3.weight": (21, 256, 1, 1),
    "upscore2.weight": (21, 21, 4, 4),
    "upscore8.weight": (21, 21, 16, 16),
}
RESNET: Shapes = {"backbone.conv1.weight": (64, 3, 7, 7), "backbone.layer4.2.conv3.weight": (2048, 512, 1, 1)}
TORCHVISION: Shapes = {
    **RESNET,
    "classifier.0.weight": (512, 2048, 3, 3),
    "classifier.1.weight": (512,),
    "classifier.4.weight": (21, 512, 1, 1),
    "aux_classifier.4.weight": (21, 256, 1, 1),
}
MMSEG: Shapes = {
    "backbone.stem.0.weight": (32, 3, 3, 3),
    "backbone.layer4.0.conv1.weight": (512, 1024, 1, 1),
    "decode_head.conv_seg.weight": (19, 512, 1, 1),
    "decode_head.convs.0.conv.weight": (512, 2048, 3, 3),
    "decode_head.conv_cat.conv.weight": (512, 2560, 3, 3),
    "auxiliary_head.conv_seg.weight": (19, 256, 1, 1),
}
MMSEG_MOBILENET: Shapes = {
    "backbone.conv1.conv.weight": (32, 3, 3, 3),
    "backbone.layer7.0.conv.0.conv.weight": (960, 160, 1, 1),
    "decode_head.conv_seg.weight": (19, 512, 1, 1),
    "decode_head.convs.0.conv.weight": (512, 320, 3, 3),
}

KNOWN: dict[str, tuple[Shapes, tuple[str, ...]]] = {
    "FCN-pytorch, whole": (EASY_FCN, ("fcn.FCNs", "torch.nn.modules.conv.Conv2d")),
    "FCN-pytorch": (EASY_FCN, ()),
    "pytorch-semseg": (
        {
            "conv_block1.0.weight": (64, 3, 3, 3),
            "conv_block5.4.weight": (512, 512, 3, 3),
            "classifier.0.weight": (4096, 512, 7, 7),
            "classifier.3.weight": (4096, 4096, 1, 1),
            "classifier.6.weight": (19, 4096, 1, 1),
            "score_pool4.weight": (19, 512, 1, 1),
        },
        (),
    ),
    "pytorch-semantic-segmentation": (
        {
            "features3.0.weight": (64, 3, 3, 3),
            "features4.0.weight": (512, 256, 3, 3),
            "features5.0.weight": (512, 512, 3, 3),
            "score_pool3.weight": (21, 256, 1, 1),
            "score_fr.0.weight": (4096, 512, 7, 7),
            "score_fr.6.weight": (21, 4096, 1, 1),
            "upscore8.weight": (21, 21, 16, 16),
        },
        (),
    ),
    "DeepLabV3": (
        {
            **RESNET,
            "classifier.0.convs.0.0.weight": (256, 2048, 1, 1),
            "classifier.0.convs.1.0.weight": (256, 2048, 3, 3),
            "classifier.0.project.0.weight": (256, 1280, 1, 1),
            "classifier.4.weight": (21, 256, 1, 1),
        },
        ("argparse.Namespace",),
    ),
    "LRASPP": (
        {
            "backbone.0.0.weight": (16, 3, 3, 3),
            "classifier.cbr.0.weight": (128, 960, 1, 1),
            "classifier.low_classifier.weight": (21, 40, 1, 1),
            "classifier.high_classifier.weight": (21, 128, 1, 1),
        },
        (),
    ),
    "segmentation_models_pytorch": (
        {
            "encoder.conv1.weight": (64, 3, 7, 7),
            "decoder.blocks.0.conv1.0.weight": (256, 768, 3, 3),
            "segmentation_head.0.weight": (2, 16, 3, 3),
            "segmentation_head.0.bias": (2,),
        },
        (),
    ),
    "SegFormer of transformers": (
        {
            "segformer.encoder.patch_embeddings.0.proj.weight": (32, 3, 7, 7),
            "decode_head.linear_c.0.proj.weight": (256, 32),
            "decode_head.linear_fuse.weight": (256, 1024, 1, 1),
            "decode_head.classifier.weight": (150, 256, 1, 1),
        },
        (),
    ),
    "SegFormer": (
        {
            "backbone.patch_embed1.proj.weight": (32, 3, 7, 7),
            "decode_head.conv_seg.weight": (19, 128, 1, 1),
            "decode_head.linear_c1.proj.weight": (256, 32),
            "decode_head.linear_pred.weight": (19, 256, 1, 1),
        },
        (),
    ),
    "SegFormer of mmsegmentation": (
        {
            "decode_head.conv_seg.weight": (19, 256, 1, 1),
            "decode_head.convs.0.conv.weight": (256, 32, 1, 1),
            "decode_head.fusion_conv.conv.weight": (256, 1024, 1, 1),
        },
        (),
    ),
    "cascade of mmsegmentation": (
        {
            "decode_head.0.conv_seg.weight": (19, 512, 1, 1),
            "decode_head.0.convs.0.conv.weight": (512, 720, 1, 1),
            "decode_head.1.conv_seg.weight": (19, 512, 1, 1),
        },
        (),
    ),
    "mmsegmentation": (
        {
            "backbone.stem.0.weight": (32, 3, 3, 3),
            "decode_head.conv_seg.weight": (19, 512, 1, 1),
            "decode_head.psp_modules.0.1.conv.weight": (512, 2048, 1, 1),
            "decode_head.bottleneck.conv.weight": (512, 4096, 3, 3),
            "auxiliary_head.convs.0.conv.weight": (256, 1024, 3, 3),
        },
        ("mmengine.logging.history_buffer.HistoryBuffer",),
    ),
    "backbone of mmsegmentation": (
        {
            "backbone.stage2.0.branches.0.0.conv1.weight": (18, 18, 3, 3),
            "decode_head.conv_seg.weight": (19, 270, 1, 1),
            "decode_head.convs.0.conv.weight": (270, 270, 1, 1),
        },
        (),
    ),
    "Ultralytics": (
        {"model.0.conv.weight": (16, 3, 3, 3)},
        ("ultralytics.nn.tasks.SemanticSegmentationModel", "ultralytics.nn.modules.head.SemanticSegment"),
    ),
    "Ultralytics, another task": ({"model.0.conv.weight": (16, 3, 3, 3)}, ("ultralytics.nn.tasks.DetectionModel",)),
}


@pytest.mark.parametrize("row", NETWORKS, ids=lambda row: row.network.name)
@pytest.mark.parametrize("prefix", ["", "module.", "model.net."])
def test_a_network_is_recognized_behind_any_wrapper(row: NetworkRow, prefix: str) -> None:
    keys, named = KNOWN[row.network.name]
    assert recognized_network({prefix + key: shape for key, shape in keys.items()}, named) is row.network


OTHERS: dict[str, Shapes] = {
    "torchvision": TORCHVISION,
    "pytorch-fcn": VGG,
    "mmsegmentation": MMSEG,
    "mmsegmentation, MobileNetV2": MMSEG_MOBILENET,
    "nothing": {},
    "another shape": {**EASY_FCN, "deconv1.weight": (512, 512, 4, 4)},
    "another rank": {**EASY_FCN, "deconv1.weight": (512, 512)},
}


@pytest.mark.parametrize("keys", OTHERS.values(), ids=OTHERS)
def test_networks_that_are_imported_or_unknown_are_left_alone(keys: Shapes) -> None:
    assert recognized_network(keys, ("argparse.Namespace", "collections.OrderedDict")) is None


def test_parameters_behind_different_prefixes_are_of_no_family() -> None:
    first, *others = EASY_FCN
    keys = {f"teacher.{first}": EASY_FCN[first], **{f"student.{key}": EASY_FCN[key] for key in others}}
    assert recognized_network(keys, ()) is None


@pytest.mark.parametrize(
    ("start", "name", "members", "expected"),
    [
        (b"\x89HDF\r\n\x1a\n\0\0", "net.h5", (), "Keras HDF5"),
        (b"PK\x03\x04....", "net.keras", ("metadata.json", "config.json", "model.weights.h5"), "Keras"),
        (b"\x08\x01\x12\x34....", "saved_model.pb", (), "TensorFlow SavedModel"),
        (b"\n\x1c\n\x05image", "frozen_inference_graph.pb", (), "TensorFlow graph"),
        (b"\x08\x07\x12\x07pytorch", "net.pb", (), None),
        (b"\0\0\0\0\0\0\0\0", "fcn.00005.index", (), "TensorFlow checkpoint"),
        (b"\0\0\0\0\0\0\0\0", "fcn.00005.data-00000-of-00001", (), "TensorFlow checkpoint"),
        (b"PK\x03\x04....", "net.pt2", ("version", "serialized_exported_program.json"), "torch.export"),
        (b"\x08\x07\x12\x07pytorch", "net.onnx", (), None),
        (b"\x80\x02}q\0....", "net.pth", (), None),
        (b"PK\x03\x04....", "net.pth", ("archive/data.pkl", "archive/data/0", "archive/version"), None),
    ],
)
def test_a_format_is_recognized(start: bytes, name: str, members: tuple[str, ...], expected: str | None) -> None:
    found = recognized_file(start, name, members)
    assert (found and found.name) == expected


def test_the_error_names_the_file_and_the_way_round() -> None:
    row = next(row for row in NETWORKS if row.network.name == "Ultralytics")
    error = row.network.error(Path("my nets/yolo26n-sem.pt"))
    assert isinstance(error, CheckpointError)
    assert error.message == (
        "my nets/yolo26n-sem.pt is a pickled network of Ultralytics, which only its own code can run."
    )
    assert "yolo export model='my nets/yolo26n-sem.pt' format=onnx" in error.fix


@pytest.mark.parametrize("row", [*NETWORKS, *FILES], ids=lambda row: str(type(row).__name__))
def test_every_way_round_ends_at_an_onnx_file(row: NetworkRow | FileRow) -> None:
    fix = (row.network if isinstance(row, NetworkRow) else row.format).error(Path("net.pt")).fix
    assert "onnx" in fix
    assert "FILE" not in fix
    assert fix.endswith(".")
