"""Runs one of README's snippets with weights drawn at random, and says what the network it exports computes itself.

    python export.py keras|torchvision SNIPPET PICTURES OUT LAYER...

Works in the folder OUT: leaves the snippet's ONNX file there, `input/*.png` (the pictures at the network's size) and
`features.json`: for each layer the means over its map, `[picture][feature]`.
"""

import json
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
from PIL import Image

PICTURES = 64
SIDE = 299


def draw(catalog, out):
    """PICTURES of the catalogue's, evenly from all of it, as [n][SIDE][SIDE][3] bytes."""
    files = sorted(p for p in pathlib.Path(catalog).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    step = max(1, len(files) // PICTURES)
    folder = out / "input"
    folder.mkdir(exist_ok=True)
    drawn = []
    for i, file in enumerate(files[::step][:PICTURES]):
        picture = Image.open(file).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        picture.save(folder / f"{i:03}.png")
        drawn.append(np.asarray(picture))
    return np.stack(drawn)


def statistics(name, shape, random):
    """What a trained network's batch norms look like: neither zero nor one throughout."""
    if "mean" in name:
        return random.normal(0, 0.1, shape)
    if "var" in name:
        return random.uniform(0.5, 1.5, shape)
    if "beta" in name or "bias" in name:
        return random.normal(0, 0.2, shape)
    return random.uniform(0.8, 1.2, shape)


def keras_features(snippet, pictures, layers):
    import keras

    make = keras.applications.InceptionV3

    def with_random_weights(weights):
        keras.utils.set_random_seed(7)
        net, random = make(weights=None), np.random.default_rng(7)
        for layer in net.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.set_weights([statistics(w.name, w.shape, random) for w in layer.weights])
        return net

    keras.applications.InceptionV3 = with_random_weights
    names = {}
    exec(snippet, names)
    net = names["net"]
    pooled = [keras.ops.mean(net.get_layer(name).output, axis=(1, 2)) for name in layers]
    # Keras' own preprocessing for this network.
    x = keras.applications.inception_v3.preprocess_input(pictures.astype(np.float32))
    return [f.tolist() for f in keras.Model(net.inputs, pooled).predict(x, batch_size=8, verbose=0)]


def torchvision_features(snippet, pictures, layers):
    import torch
    import torchvision

    make = torchvision.models.inception_v3

    def with_random_weights(weights):
        torch.manual_seed(7)
        # transform_input is what torchvision sets for its ImageNet weights.
        net, random = make(weights=None, init_weights=False, transform_input=True), np.random.default_rng(7)
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                for name in ("running_mean", "running_var", "weight", "bias"):
                    value = getattr(module, name)
                    value.data = torch.tensor(statistics(name, tuple(value.shape), random), dtype=torch.float32)
        return net

    torchvision.models.inception_v3 = with_random_weights
    names = {}
    exec(snippet, names)
    net, kept = names["net"], {name: [] for name in layers}
    for name in layers:
        keep = lambda _module, _inputs, output, name=name: kept[name].append(output.mean((2, 3)))
        net.get_submodule(name).register_forward_hook(keep)
    # torchvision's own preprocessing, but for the crop.
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = torch.tensor(((pictures / 255 - mean) / std).transpose(0, 3, 1, 2), dtype=torch.float32)
    with torch.no_grad():
        for batch in x.split(8):
            net(batch)
    return [torch.cat(kept[name]).tolist() for name in layers]


def main():
    framework, snippet, catalog, out, *layers = sys.argv[1:]
    out = pathlib.Path(out)
    pictures = draw(catalog, out)
    code = pathlib.Path(snippet).read_text()
    os.chdir(out)
    of = {"keras": keras_features, "torchvision": torchvision_features}[framework]
    with open("features.json", "w") as file:
        json.dump(dict(zip(layers, of(code, pictures, layers))), file)


main()
