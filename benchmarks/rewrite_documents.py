"""Write models, calibration tables and manifests again, in the schema version that this fcn_edge writes.

    python benchmarks/rewrite_documents.py                     # what ships: the zoo and calibration/
    python benchmarks/rewrite_documents.py table.json m.onnx   # these files, in place

Of an ONNX file only the metadata changes: graph and weights stay as they are to the byte, and so does the model digest.
A table gets a digest of its own, and engines that were built with the old one count as stale. A shipped model's
manifest follows its file. What is up to date stays as it is, whichever fcn_edge wrote it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from fcn_edge.artifacts.calibration_table import TABLE_KEY, read_table
from fcn_edge.artifacts.migrations import WRITER
from fcn_edge.artifacts.models import MANIFEST_FILE, MODEL_FILE, TABLE_FILE, ZOO, Manifest
from fcn_edge.artifacts.onnx_header import METADATA_PROPS, SPEC_KEY, metadata_of_onnx, opened_onnx, spec_of_onnx
from fcn_edge.artifacts.onnx_seal import SEAL_KEY
from fcn_edge.artifacts.protobuf import bytes_field, fields
from fcn_edge.artifacts.quantization_record import quantization_record_of_onnx
from fcn_edge.datasets.calibration.manifest import image_manifest
from fcn_edge.errors import ArtifactError
from fcn_edge.io.documents import document_text, read_document
from fcn_edge.io.files import replacing, sha256_of

CALIBRATION = Path(__file__).parent.parent / "calibration"


def main() -> None:
    """Rewrite the files that are named, or all that ship."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="*", help="default: the zoo and calibration/*.json")
    for path in parser.parse_args().files or shipped_documents():
        print(f"{path}: {'rewritten' if rewrite(path) else 'up to date'}")


def shipped_documents() -> list[Path]:
    """Every document that ships; manifests come after the models whose hashes they hold."""
    names = (MODEL_FILE, TABLE_FILE, MANIFEST_FILE)
    zoo = [path for name in names for path in sorted(ZOO.glob(f"*/{name}"))]
    return [*zoo, *sorted(CALIBRATION.glob("*.json"))]


def rewrite(path: Path) -> bool:
    """Write a document again in place, whole or not at all; say whether its bytes changed.

    Raises:
        ArtifactError: It is missing, damaged or none that this knows.
    """
    content = new_content(path)
    if content is None:
        return False
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return True


def new_content(path: Path) -> bytes | None:
    """What a document would be written again as; None where it is up to date.

    Raises:
        ArtifactError: It is missing, damaged or none that this knows.
    """
    return _onnx(path) if path.suffix == ".onnx" else _json(path)


def _json(path: Path) -> bytes | None:
    old = read_document(path, ArtifactError, "Copy it again.")
    for key, kind in (("tensors", read_table), ("model_sha256", _manifest), ("images", image_manifest)):
        if key in old:
            new = kind(path).model_dump(mode="json")
            return None if _without_writer(new) == _without_writer(old) else document_text(new).encode()
    raise ArtifactError(f"{path} is no calibration table and no manifest.", "Name other files.")


def _without_writer(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key != WRITER}


def _manifest(path: Path) -> Manifest:
    manifest = Manifest.from_content(read_document(path, ArtifactError, "Copy it again."), str(path), ArtifactError)
    model = path.with_name(MODEL_FILE)
    if model.is_file():
        manifest = manifest.model_copy(update={"model_sha256": sha256_of(model)})
    return manifest


def _onnx(path: Path) -> bytes | None:
    """The file with its records of the current version, in the places of the old ones; None where they are."""
    metadata = metadata_of_onnx(path)
    fresh = {SPEC_KEY: spec_of_onnx(path).to_json()}
    quantization = quantization_record_of_onnx(path)
    if quantization is not None:
        fresh[TABLE_KEY] = quantization.model_dump_json()
    for key, text in list(fresh.items()):
        if _without_writer(json.loads(metadata[key])) == _without_writer(json.loads(text)):
            del fresh[key]
    if not fresh:
        return None
    content, last = bytearray(), 0
    with opened_onnx(path) as buffer:
        for number, start, end in fields(buffer, 0, len(buffer)):
            record, last = buffer.read(last, end), end
            if number == METADATA_PROPS:
                key = next(buffer.read(a, b).decode() for field, a, b in fields(buffer, start, end) if field == 1)
                if key in fresh:
                    record = _entry(key, fresh[key])
                elif key == SEAL_KEY:
                    continue  # of the records before
            content += record
    return bytes(content)


def _entry(key: str, value: str) -> bytes:
    """A ``StringStringEntryProto`` among a model's ``metadata_props``."""
    entry = b"".join(bytes_field(field, text.encode()) for field, text in ((1, key), (2, value)))
    return bytes_field(METADATA_PROPS, entry)


if __name__ == "__main__":
    main()
