"""Runs one of README's snippets with weights of our own, and says what the network it exports computes itself.

    python export.py keras|torchvision SNIPPET PICTURES OUT drawn|WEIGHTS.onnx LAYER...

Weights are drawn at random, or for Keras those of a trained InceptionV3. Works in the folder OUT: leaves the
snippet's ONNX file there, `input/*.png` (the pictures to compare with, at the network's size), `calibrate/*.png` (as
many others) and `features.json`: for each layer the means over its map, `[picture][feature]`.

Batch norms of a drawn network get the statistics of what reaches them, as training would leave them. With drawn
statistics deep features are nearly the same for every picture, and comparing what differs compares noise.
"""

import json
import os
import pathlib
import shutil
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
from PIL import Image

PICTURES = 64
SIDE = 299
# Pictures that a drawn network takes its statistics from: the most that a small machine holds at once.
STATISTICS = 32
# Standard deviation of what a drawn batch norm adds.
SHIFT = 0.2


def draw(catalog, out):
    """PICTURES to compare with and as many others, evenly from all of the catalogue, as [n][SIDE][SIDE][3] bytes."""
    files = sorted(p for p in pathlib.Path(catalog).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    step = max(2, len(files) // PICTURES)
    return [
        resized(files[start::step][:PICTURES], out / name)
        for start, name in ((0, "input"), (step // 2, "calibrate"))
    ]


def resized(files, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    drawn = []
    for i, file in enumerate(files):
        picture = Image.open(file).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        picture.save(folder / f"{i:03}.png")
        drawn.append(np.asarray(picture))
    return np.stack(drawn)


def keras_features(snippet, pictures, others, weights, layers):
    import keras

    # Keras' own preprocessing for this network.
    preprocess = lambda x: keras.applications.inception_v3.preprocess_input(x.astype(np.float32))
    make = keras.applications.InceptionV3

    def with_own_weights():
        keras.utils.set_random_seed(7)
        net = make(weights=None)
        if weights == "drawn":
            keras_draw(net, preprocess(others[:STATISTICS]))
        else:
            keras_load(net, weights)
        return net

    keras.applications.InceptionV3 = lambda weights: with_own_weights()
    names = {}
    exec(snippet, names)
    net = names["net"]
    pooled = [keras.ops.mean(net.get_layer(name).output, axis=(1, 2)) for name in layers]
    return [f.tolist() for f in keras.Model(net.inputs, pooled).predict(preprocess(pictures), batch_size=8, verbose=0)]


def keras_draw(net, x):
    import keras
    import tensorflow

    random = np.random.default_rng(7)
    norms = [layer for layer in net.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.beta.assign(random.normal(0, SHIFT, layer.beta.shape))
        # The next pass replaces the statistics.
        layer.momentum = 0.0
    tensorflow.function(lambda x: net(x, training=True))(tensorflow.constant(x))


def keras_load(net, weights):
    """Weights of the same network with its batch norms folded into the convolutions, for RGB from 0 to 1."""
    import keras
    import onnx

    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(weights).graph.initializer}
    # Keras numbers what it makes: `conv2d`, `conv2d_1` …
    number = lambda layer: int(layer.name.removeprefix("conv2d").removeprefix("batch_normalization").strip("_") or 0)
    of = lambda kind: sorted((layer for layer in net.layers if isinstance(layer, kind)), key=number)
    pairs = list(zip(of(keras.layers.Conv2D), of(keras.layers.BatchNormalization), strict=True))
    for i, (conv, norm) in enumerate(pairs, 1):
        kernel, bias = tensors[f"conv2d_{i}.weight"].transpose(2, 3, 1, 0), tensors[f"conv2d_{i}.bias"]
        if i == 1:
            # Keras' preprocessing gives -1 to 1; this convolution has no padding, so that it can take the difference.
            kernel, bias = kernel / 2, bias + kernel.sum((0, 1, 2)) / 2
        conv.set_weights([kernel])
        norm.set_weights([bias, np.zeros_like(bias), np.full_like(bias, 1 - norm.epsilon)])


def torchvision_features(snippet, pictures, others, weights, layers):
    import torch
    import torchvision

    if weights != "drawn":
        sys.exit("the trained weights at hand are named as Keras names them")
    # torchvision's own preprocessing, but for the crop.
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    preprocess = lambda x: torch.tensor(((x / 255 - mean) / std).transpose(0, 3, 1, 2), dtype=torch.float32)
    make = torchvision.models.inception_v3

    def with_own_weights():
        torch.manual_seed(7)
        # transform_input is what torchvision sets for its ImageNet weights.
        net = make(weights=None, init_weights=False, transform_input=True).train()
        for module in net.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight)
            if isinstance(module, torch.nn.BatchNorm2d):
                module.bias.data = torch.randn(module.bias.shape) * SHIFT
                # The next pass replaces the statistics.
                module.momentum = 1.0
        with torch.no_grad():
            net(preprocess(others[:STATISTICS]))
        return net

    torchvision.models.inception_v3 = lambda weights: with_own_weights()
    names = {}
    exec(snippet, names)
    net, kept = names["net"], {name: [] for name in layers}
    for name in layers:
        keep = lambda _module, _inputs, output, name=name: kept[name].append(output.mean((2, 3)))
        net.get_submodule(name).register_forward_hook(keep)
    with torch.no_grad():
        for batch in preprocess(pictures).split(8):
            net(batch)
    return [torch.cat(kept[name]).tolist() for name in layers]


def main():
    framework, snippet, catalog, out, weights, *layers = sys.argv[1:]
    out = pathlib.Path(out)
    weights = weights if weights == "drawn" else str(pathlib.Path(weights).resolve())
    pictures, others = draw(catalog, out)
    code = pathlib.Path(snippet).read_text()
    os.chdir(out)
    of = {"keras": keras_features, "torchvision": torchvision_features}[framework]
    with open("features.json", "w") as file:
        json.dump(dict(zip(layers, of(code, pictures, others, weights, layers))), file)


main()
