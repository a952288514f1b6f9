"""From a network in memory to a bundle on disk, and back."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from cxrnet.errors import BundleError
from cxrnet.export.onnx import export_network, export_segmenter
from cxrnet.model.bundle import CARD, GATE, GRAPH, SEGMENTER, WEIGHTS, Bundle, write_bundle
from cxrnet.model.facts import Facts
from cxrnet.nn.network import Network


def build_bundle(
    network: Network,
    folder: Path,
    *,
    card: str = "",
    facts: Facts | None = None,
    gate: bytes | None = None,
    overwrite: bool = False,
) -> Bundle:
    """Write a network with its weights as a bundle: config, weights, graphs, card and checksums.

    The card is written from `facts`, or given as Markdown; `gate` is the graph of a gate of its own.
    """
    if folder.exists() and not overwrite:  # said before the export, which takes half a minute
        raise BundleError(f"{folder}: exists already; choose another folder or say --overwrite")
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    files = {WEIGHTS: save(state), SEGMENTER: export_segmenter(network.segmenter)}
    if facts is None:
        files[CARD] = card.encode()
    if network.config.classifier is not None:
        files[GRAPH] = export_network(network)
    if gate is not None:
        files[GATE] = gate
    return write_bundle(folder, network.config, files, facts=facts, overwrite=overwrite)


def load_network(bundle: Bundle) -> Network:
    """Return the network of a bundle with its weights, in evaluation mode."""
    network = Network(bundle.config)
    try:
        network.load_state_dict(load_file(bundle.folder / WEIGHTS), strict=True)
    except (RuntimeError, SafetensorError) as error:
        raise BundleError(f"{bundle.config.name}: {' '.join(str(error).split())}; build the bundle again") from error
    return network.eval()


def re_export(bundle: Bundle, folder: Path, *, overwrite: bool = False) -> Bundle:
    """Write a bundle with the graphs that this version exports from its weights; all else stays as it is.

    The files that it computes with are others then, and so is its sha256.
    """
    own = bundle.folder / GATE
    return build_bundle(
        load_network(bundle),
        folder,
        card="" if bundle.facts is not None else bundle.card,
        facts=bundle.facts,
        gate=own.read_bytes() if own.is_file() else None,
        overwrite=overwrite,
    )
