"""Makes tests/models/cases: tiny networks, each with one thing that exporters or attackers write, and what onnxruntime
computes for them. Run once, when a case is added:

    python3 -m venv venv && venv/bin/pip install onnx onnxruntime numpy
    venv/bin/python tests/models/make.py

cases.json has for each network: its layer, what has to come of it (`int8` or `tract` with --calibrate, or `refused`), words
that a refusal has to have, and the pooled features of the picture that `picture` draws, where onnxruntime can run it.
"""

import json
import os
import shutil

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases")
SIDE = 16
CASES = {}
random = np.random.default_rng(5)


def picture():
    """RGB of [SIDE][SIDE]; tests/networks.rs draws the same."""
    y, x, c = np.meshgrid(np.arange(SIDE), np.arange(SIDE), np.arange(3), indexing="ij")
    return ((x * 37 + y * 59 + c * 83 + (x * y) * 11) % 256).astype(np.uint8)


def weights(*shape):
    spread = 1.4 / np.sqrt(np.prod(shape[1:]))
    return (random.uniform(-1, 1, shape) * spread).astype(np.float32)


class Graph:
    """Collects nodes; each method gives the name of its result."""

    def __init__(self, input_type=TensorProto.FLOAT, nhwc=False):
        self.nodes, self.stored, self.count = [], [], 0
        shape = [1, SIDE, SIDE, 3] if nhwc else [1, 3, SIDE, SIDE]
        self.input = helper.make_tensor_value_info("input", input_type, shape)

    def const(self, value, name=None):
        name = name or f"const{len(self.stored)}"
        self.stored.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def op(self, kind, *inputs, name=None, outputs=1, **attributes):
        self.count += 1
        name = name or f"{kind.lower()}{self.count}"
        made = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), made, name=name, **attributes))
        return name if outputs == 1 else made

    def conv(self, x, out, c, k=3, name=None, **attributes):
        attributes.setdefault("pads", [k // 2] * 4)
        w = weights(out, c // attributes.get("group", 1), k, k)
        b = (random.uniform(-1, 1, out) * 0.2).astype(np.float32)
        return self.op("Conv", x, self.const(w), self.const(b), name=name, **attributes)

    def stem(self):
        """A first convolution with ReLU, 8 channels at half the side."""
        return self.op("Relu", self.conv("input", 8, 3, strides=[2, 2]))


def case(name, graph, layer, expect, says=(), opset=17, mean=0.0, std=1.0, nhwc=False, scale=1.0, ask=None, last=False):
    kind = graph.input.type.tensor_type.elem_type
    out = helper.make_tensor_value_info(layer, TensorProto.FLOAT16 if kind == TensorProto.FLOAT16 else TensorProto.FLOAT, None)
    model = helper.make_model(
        helper.make_graph(graph.nodes, name, [graph.input], [out], graph.stored),
        opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, os.path.join(FOLDER, name + ".onnx"))
    entry = {"layer": ask or layer, "expect": expect, "says": list(says), "mean": mean, "std": std}
    if expect != "refused":
        x = picture().astype(np.float32) / 255
        x = (x - mean) / std * scale
        x = x[None] if nhwc else x.transpose(2, 0, 1)[None]
        x = x.astype({TensorProto.FLOAT: np.float32, TensorProto.FLOAT16: np.float16, TensorProto.UINT8: np.uint8}[kind])
        # onnxruntime's optimiser would be one more thing to trust.
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        y = session.run([layer], {"input": x})[0].astype(np.float64)
        if y.ndim == 4:
            y = y.mean(axis=(1, 2) if last else (2, 3))
        entry["features"] = [float(f"{v:.7g}") for v in y.reshape(-1)]
    CASES[name] = entry


# --- Layouts -----------------------------------------------------------------------------------------------------------

def nhwc_cases():
    g = Graph(nhwc=True)
    x = g.op("Transpose", "input", perm=[0, 3, 1, 2])
    x = g.op("Relu", g.conv(x, 8, 3))
    x = g.op("Transpose", x, perm=[0, 2, 3, 1], name="net_1/mixed8_1/Transpose:0")
    case("nhwc-map-last", g, x, "int8", nhwc=True, ask="mixed8", last=True)

    # A sum, a join and a frame between two Transposes, with constants of TensorFlow's order.
    g = Graph(nhwc=True)
    x = g.op("Mul", "input", g.const(np.float32([2.0, 2.0, 2.0])))
    x = g.op("Sub", x, g.const(np.float32([1.0, 0.9, 1.1])))
    x = g.op("Transpose", x, perm=[0, 3, 1, 2])
    a = g.op("Transpose", g.op("Relu", g.conv(x, 8, 3)), perm=[0, 2, 3, 1])
    a = g.op("Pad", a, g.const(np.int64([0, 1, 2, 0, 0, 1, 0, 0])))
    a = g.op("Transpose", a, perm=[0, 3, 1, 2])
    a = g.op("Transpose", g.op("Relu", g.conv(a, 8, 8, pads=[0, 0, 0, 0])), perm=[0, 2, 3, 1])
    b = g.op("Mul", a, g.const(np.linspace(0.5, 1.5, 8).astype(np.float32)))
    c = g.op("Concat", a, g.op("Sigmoid", b), axis=3)
    c = g.op("Concat", c, b, axis=-1, name="joined")
    case("nhwc-between", g, c, "int8", nhwc=True, last=True)

    g = Graph(nhwc=True)
    x = g.op("Relu", g.conv(g.op("Transpose", "input", perm=[0, 3, 1, 2]), 8, 3))
    x = g.op("Transpose", x, perm=[0, 2, 3, 1])
    x = g.op("ReduceMean", x, axes=[1, 2], keepdims=0, name="mean")
    case("nhwc-mean", g, x, "int8", nhwc=True)

    # Squeeze and excite, as Keras writes it.
    g = Graph(nhwc=True)
    x = g.conv(g.op("Transpose", "input", perm=[0, 3, 1, 2]), 8, 3)
    x = g.op("Mul", x, g.op("Sigmoid", x))
    last = g.op("Transpose", x, perm=[0, 2, 3, 1])
    s = g.op("ReduceMean", last, axes=[1, 2], keepdims=0)
    s = g.op("Reshape", s, g.const(np.int64([1, 1, 1, 8])))
    s = g.op("Transpose", s, perm=[0, 3, 1, 2])
    s = g.op("Sigmoid", g.conv(g.op("Relu", g.conv(s, 4, 8, k=1)), 8, 4, k=1))
    s = g.op("Transpose", s, perm=[0, 2, 3, 1])
    x = g.op("Transpose", g.op("Mul", last, s), perm=[0, 3, 1, 2])
    x = g.op("Relu", g.conv(x, 8, 8), name="end")
    case("nhwc-squeeze-excite", g, x, "int8", nhwc=True)

    # Nobody turns it: the operators that mind the order do.
    g = Graph(nhwc=True)
    x = g.op("Relu", "input", name="first")
    case("nhwc-no-transpose", g, x, "int8", nhwc=True, last=True)


# --- What is done to the input alone -----------------------------------------------------------------------------------

def input_cases():
    g = Graph()
    planes = []
    for i, (factor, shift) in enumerate([(0.458, -0.03), (0.448, -0.088), (0.45, -0.188)]):
        p = g.op("Gather", "input", g.const(np.int64(i)), axis=1)
        p = g.op("Unsqueeze", p, g.const(np.int64([1])))
        p = g.op("Add", g.op("Mul", p, g.const(np.float32(factor))), g.const(np.float32(shift)))
        planes.append(p)
    x = g.op("Concat", *planes, axis=1)
    case("input-transform", g, g.op("Relu", g.conv(x, 8, 3), name="end"), "int8", mean=0.485, std=0.225)

    g = Graph()
    x = g.op("Slice", "input", g.const(np.int64([2])), g.const(np.int64([-4])), g.const(np.int64([1])),
             g.const(np.int64([-1])))
    x = g.op("Sub", x, g.const(np.float32([0.4, 0.45, 0.48]).reshape(1, 3, 1, 1)))
    case("input-bgr", g, g.op("Relu", g.conv(x, 8, 3), name="end"), "int8")

    g = Graph(input_type=TensorProto.UINT8)
    x = g.op("Cast", "input", to=TensorProto.FLOAT)
    x = g.op("Div", x, g.const(np.float32(127.5)))
    x = g.op("Sub", x, g.const(np.float32(1)))
    case("input-uint8", g, g.op("Relu", g.conv(x, 8, 3), name="end"), "int8", scale=255.0)

    g = Graph()
    x = g.op("BatchNormalization", "input", *[g.const(np.float32(v)) for v in
             ([1.0, 2.0, 0.5], [0.1, 0.0, -0.1], [0.5, 0.4, 0.3], [1.0, 0.25, 0.5])])
    case("input-batch-norm", g, g.op("Relu", g.conv(x, 8, 3), name="end"), "int8")

    # Not one normalisation of all channels: left as it is.
    g = Graph()
    x = g.op("Mul", "input", g.const(np.float32([1.0, -1.0, 1.0]).reshape(1, 3, 1, 1)))
    case("input-negative", g, g.op("Relu", g.conv(x, 8, 3), name="end"), "int8")


# --- Weights -----------------------------------------------------------------------------------------------------------

def weight_cases():
    def through(name, make, opset=17, expect="int8"):
        g = Graph()
        w = make(g, weights(8, 3, 3, 3))
        x = g.op("Conv", "input", w, pads=[1, 1, 1, 1])
        case(name, g, g.op("Relu", x, name="end"), expect, opset=opset)

    through("weights-constant", lambda g, w: g.op("Constant", value=numpy_helper.from_array(w)))
    through("weights-identity", lambda g, w: g.op("Identity", g.const(w)))
    through("weights-cast", lambda g, w: g.op("Cast", g.const(w.astype(np.float16)), to=TensorProto.FLOAT))
    through("weights-reshape", lambda g, w: g.op("Reshape", g.const(w.reshape(8, 27)), g.const(np.int64([8, 3, 3, -1]))))
    through("weights-transpose", lambda g, w: g.op("Transpose", g.const(w.transpose(2, 3, 1, 0)), perm=[3, 2, 0, 1]))
    through("weights-scaled", lambda g, w: g.op(
        "Mul", g.const(w), g.op("Div", g.const(np.ones((8, 1, 1, 1), np.float32)), g.op("Sqrt", g.const(np.full((8, 1, 1, 1), 2, np.float32))))))
    through("weights-dequantised", lambda g, w: g.op(
        "DequantizeLinear", g.const(np.clip(np.round(w / 0.01), -128, 127).astype(np.int8)),
        g.const(np.full(8, 0.01, np.float32)), g.const(np.zeros(8, np.int8)), axis=0))

    g = Graph(input_type=TensorProto.FLOAT16)
    w = g.const(weights(8, 3, 3, 3).astype(np.float16))
    x = g.op("Conv", "input", w, g.const(np.zeros(8, np.float16)), pads=[1, 1, 1, 1])
    x = g.op("Clip", x, g.const(np.float16(0)), g.const(np.float16(6)), name="end")
    case("half", g, x, "int8")

    g = Graph()
    x = g.op("Cast", "input", to=TensorProto.FLOAT16)
    x = g.op("Conv", x, g.const(weights(8, 3, 3, 3).astype(np.float16)), pads=[1, 1, 1, 1])
    x = g.op("Relu", g.op("Cast", x, to=TensorProto.FLOAT), name="end")
    case("half-inside", g, x, "int8")

    g = Graph()
    x = g.op("Conv", "input", g.const(weights(8, 3, 3, 3).astype(np.float64)), name="end")
    case("double", g, x, "refused", ["Double", "float32"])

    g = Graph()
    w = helper.make_tensor("w", TensorProto.BFLOAT16, [8, 3, 3, 3], b"\0\0" * 216, raw=True)
    g.stored.append(w)
    case("bfloat16", g, g.op("Conv", "input", "w", name="end"), "refused", ["Bfloat16", "float32"])

    g = Graph()
    w = helper.make_tensor("w", TensorProto.FLOAT, [8, 3, 3, 3], bytes(864), raw=True)
    w.ClearField("raw_data")
    w.data_location = TensorProto.EXTERNAL
    entry = w.external_data.add()
    entry.key, entry.value = "location", "weights.bin"
    g.stored.append(w)
    case("external", g, g.op("Conv", "input", "w", name="end"), "refused", ["another file"])


# --- Operators ---------------------------------------------------------------------------------------------------------

def operator_cases():
    def after(name, make, expect="int8", opset=17, **more):
        g = Graph()
        x = make(g, g.conv("input", 8, 3))
        case(name, g, g.op("Relu", g.conv(x, 8, 8), name="end"), expect, opset=opset, **more)

    after("silu", lambda g, x: g.op("Mul", x, g.op("Sigmoid", x)))
    after("hard-swish", lambda g, x: g.op("HardSwish", x))
    after("hard-swish-spelled", lambda g, x: g.op("Div", g.op("Mul", x, g.op("Clip", g.op("Add", x, g.const(np.float32(3))), g.const(np.float32(0)), g.const(np.float32(6)))), g.const(np.float32(6))))
    after("hard-sigmoid", lambda g, x: g.op("HardSigmoid", x, alpha=1 / 6, beta=0.5))
    after("leaky-relu", lambda g, x: g.op("LeakyRelu", x, alpha=0.1))
    after("prelu", lambda g, x: g.op("PRelu", x, g.const(np.linspace(0, 0.7, 8).astype(np.float32).reshape(8, 1, 1))))
    after("elu", lambda g, x: g.op("Elu", x, alpha=0.7))
    after("tanh", lambda g, x: g.op("Tanh", x))
    after("gelu-spelled", lambda g, x: g.op("Mul", g.op("Mul", x, g.op("Add", g.op("Erf", g.op("Div", x, g.const(np.float32(1.4142135)))), g.const(np.float32(1)))), g.const(np.float32(0.5))))
    after("clip-one-side", lambda g, x: g.op("Clip", x, "", g.const(np.float32(0.3))))
    after("clip-no-bounds", lambda g, x: g.op("Clip", x))
    after("batch-norm", lambda g, x: g.op("BatchNormalization", x, *[g.const(v.astype(np.float32)) for v in (np.linspace(0.5, 1.5, 8), np.linspace(-0.2, 0.2, 8), np.linspace(0.1, -0.1, 8), np.linspace(0.4, 1.6, 8))]))
    after("scale-shift", lambda g, x: g.op("Add", g.op("Mul", x, g.const(np.linspace(0.5, 1.5, 8).astype(np.float32).reshape(1, 8, 1, 1))), g.const(np.float32([[[0.25]]]))))
    after("dropout-identity", lambda g, x: g.op("Identity", g.op("Dropout", g.op("Relu", x))))
    after("grouped", lambda g, x: g.op("Relu", g.conv(x, 8, 8, group=2)), "tract", says=["group"])
    after("dilated-conv", lambda g, x: g.op("Relu", g.conv(x, 8, 8, pads=[2, 2, 2, 2], dilations=[2, 2])), "tract", says=["dilated"])
    after("group-norm-free-softmax", lambda g, x: g.op("Softmax", x, axis=1), "tract", says=["Softmax"])

    # DenseNet: a norm behind a join cannot go into a convolution.
    def dense(g, x):
        a = g.op("Relu", x)
        b = g.op("Relu", g.conv(a, 8, 8))
        j = g.op("Concat", a, b, axis=1)
        n = g.op("BatchNormalization", j, *[g.const(v.astype(np.float32)) for v in (np.linspace(0.5, 1.5, 16), np.linspace(-0.2, 0.2, 16), np.linspace(0.1, 0.4, 16), np.linspace(0.4, 1.6, 16))])
        return g.op("Relu", g.conv(g.op("Relu", n), 8, 16, k=1))
    after("batch-norm-behind-join", dense)
    after("relu-behind-join", lambda g, x: g.conv(g.op("Relu", g.op("Concat", x, g.conv(x, 8, 8), axis=1)), 8, 16, k=1))

    # MobileNetV3 and EfficientNet.
    def excite(g, x):
        x = g.op("HardSwish", x)
        s = g.op("GlobalAveragePool", x)
        s = g.op("HardSigmoid", g.conv(g.op("Relu", g.conv(s, 4, 8, k=1)), 8, 4, k=1))
        return g.op("Mul", s, x)
    after("squeeze-excite", excite)

    after("pad-conv", lambda g, x: g.conv(g.op("Pad", x, g.const(np.int64([0, 0, 0, 0, 0, 0, 1, 1]))), 8, 8, pads=[0, 0, 0, 0], strides=[2, 2]))
    after("pad-sum", lambda g, x: g.op("Add", g.op("Pad", x, g.const(np.int64([0, 0, 1, 1, 0, 0, 1, 1]))), g.conv(x, 8, 8, pads=[2, 2, 2, 2])))
    after("pad-value", lambda g, x: g.conv(g.op("Pad", x, g.const(np.int64([0, 0, 1, 1, 0, 0, 1, 1])), g.const(np.float32(0.5))), 8, 8, pads=[0] * 4), "tract", says=["Pad"])
    after("pad-pool", lambda g, x: g.op("MaxPool", g.op("Pad", g.op("Relu", x), g.const(np.int64([0, 0, 1, 1, 0, 0, 1, 1]))), kernel_shape=[3, 3], strides=[2, 2]))
    after("pad-pool-negative", lambda g, x: g.op("MaxPool", g.op("Pad", x, g.const(np.int64([0, 0, 1, 1, 0, 0, 1, 1]))), kernel_shape=[3, 3], strides=[2, 2]))
    after("conv-pads-as-kernel", lambda g, x: g.op("Relu", g.conv(x, 8, 8, k=1, pads=[1, 1, 1, 1])), "tract", says=["pad"])
    after("conv-pads-large", lambda g, x: g.op("Relu", g.conv(x, 8, 8, k=3, pads=[5, 4, 3, 7])), "tract", says=["pad"])

    pool = dict(kernel_shape=[3, 3], strides=[2, 2])
    after("pool-ceil", lambda g, x: g.op("MaxPool", x, ceil_mode=1, **pool))
    after("average-ceil", lambda g, x: g.op("AveragePool", x, ceil_mode=1, **pool))
    after("average-counts-pads", lambda g, x: g.op("AveragePool", x, count_include_pad=1, pads=[1, 1, 1, 1], **pool))
    after("average-same", lambda g, x: g.op("AveragePool", x, auto_pad="SAME_UPPER", **pool))
    after("max-same-lower", lambda g, x: g.op("MaxPool", x, auto_pad="SAME_LOWER", **pool))
    after("max-dilated", lambda g, x: g.op("MaxPool", x, dilations=[2, 2], pads=[1, 0, 2, 1], **pool), "tract", says=["dilated"])
    after("max-dilated-stride-1", lambda g, x: g.op("MaxPool", x, dilations=[2, 3], kernel_shape=[3, 2]), "tract", says=["dilated"])
    after("average-dilated", lambda g, x: g.op("AveragePool", x, dilations=[2, 2], pads=[1, 1, 1, 1], **pool), "tract", opset=19, says=["dilated"])
    after("average-dilated-counts", lambda g, x: g.op("AveragePool", x, dilations=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1, **pool), "tract", opset=19, says=["dilated"])


# --- Layers ------------------------------------------------------------------------------------------------------------

def layer_cases():
    g = Graph()
    x = g.op("GlobalAveragePool", g.stem(), name="gap")
    case("layer-gap", g, x, "int8")
    g = Graph()
    x = g.op("Flatten", g.op("GlobalAveragePool", g.stem(), name="gap"), name="flat")
    case("layer-flat", g, x, "int8")
    g = Graph()
    x = g.op("Squeeze", g.op("ReduceMean", g.stem(), axes=[-1, -2], keepdims=1), g.const(np.int64([2, 3])), name="flat")
    case("layer-squeezed", g, x, "int8")
    g = Graph()
    x = g.op("Reshape", g.op("AveragePool", g.stem(), kernel_shape=[8, 8]), g.const(np.int64([0, -1])), name="flat")
    case("layer-reshaped", g, x, "int8")
    g = Graph()
    x = g.op("Flatten", g.op("GlobalAveragePool", g.stem()))
    x = g.op("Gemm", x, g.const(weights(6, 8)), g.const(np.zeros(6, np.float32)), transB=1, name="dense")
    case("layer-dense", g, x, "tract", says=["Gemm"])
    g = Graph()
    x = g.op("Reshape", g.stem(), g.const(np.int64([1, 8, 64])), name="tokens")
    case("layer-tokens", g, x, "refused", ["tokens", "[1, 8, 64]"])


# --- What is refused ---------------------------------------------------------------------------------------------------

def hostile_cases():
    def conv(name, says, w=(8, 3, 3, 3), **attributes):
        g = Graph()
        x = g.op("Conv", "input", g.const(np.zeros(w, np.float32)), name="end", **attributes)
        case("bad-conv-" + name, g, x, "refused", ["end", *says])

    conv("strides-0", ["strides"], strides=[0, 0])
    conv("strides-1-axis", ["strides"], strides=[2])
    conv("strides-negative", ["strides"], strides=[-1, 1])
    conv("strides-huge", ["strides"], strides=[1 << 62, 1])
    conv("pads-1", ["pads"], pads=[1])
    conv("pads-huge", ["pads"], pads=[1 << 20] * 4)
    conv("pads-max", ["pads"], pads=[(1 << 63) - 1] * 4)
    conv("pads-negative", ["pads"], pads=[-1, 0, 0, 0])
    conv("dilations-0", ["dilations"], dilations=[0, 0])
    conv("dilations-huge", ["dilations"], dilations=[1 << 40, 1])
    conv("dilations-beyond", ["does not fit"], dilations=[9, 9])
    conv("group-0", ["group"], group=0)
    conv("group-negative", ["group"], group=-3)
    conv("group-2", ["group"], group=2)
    conv("kernel-shape", ["kernel_shape"], kernel_shape=[5, 5])
    conv("kernel-empty", ["weights"], w=(8, 3, 0, 3))
    conv("kernel-large", ["does not fit"], w=(1, 3, 40, 40))
    conv("auto-pad", ["auto_pad"], auto_pad="SOMEHOW")
    conv("strides-real", ["strides"], strides=[1.0, 2.0])

    def pool(name, says, kind="MaxPool", **attributes):
        g = Graph()
        case("bad-pool-" + name, g, g.op(kind, g.stem(), name="end", **attributes), "refused", ["end", *says])

    pool("kernel-0", ["kernel_shape"], kernel_shape=[0, 0])
    pool("kernel-missing", ["kernel_shape"])
    pool("kernel-large", ["does not fit"], kernel_shape=[9, 9])
    pool("strides-0", ["strides"], "AveragePool", kernel_shape=[2, 2], strides=[0, 1])
    pool("pads-as-kernel", ["pads"], kernel_shape=[2, 2], pads=[2, 2, 2, 2])
    pool("dilations-0", ["dilations"], kernel_shape=[2, 2], dilations=[0, 1])

    def made(name, says, make):
        g = Graph()
        y = make(g)
        # Joined so that it is computed.
        x = g.op("Add", g.stem(), y, name="end")
        case("bad-" + name, g, x, "refused", says)

    huge = np.int64([1 << 20, 1 << 20])
    made("constant-of-shape-huge", ["beyond"], lambda g: g.op("ConstantOfShape", g.const(huge), name="made"))
    made("constant-of-shape-max", ["made"], lambda g: g.op("ConstantOfShape", g.const(np.int64([(1 << 63) - 1])), name="made"))
    made("constant-of-shape-negative", ["made"], lambda g: g.op("ConstantOfShape", g.const(np.int64([-1])), name="made"))
    made("range-huge", ["made"], lambda g: g.op("Range", g.const(np.int64(0)), g.const(np.int64(1 << 60)), g.const(np.int64(1)), name="made"))
    made("range-step-0", ["step"], lambda g: g.op("Range", g.const(np.int64(0)), g.const(np.int64(8)), g.const(np.int64(0)), name="made"))
    made("expand-huge", ["beyond"], lambda g: g.op("Expand", g.const(np.float32([1])), g.const(huge), name="made"))
    made("tile-huge", ["beyond"], lambda g: g.op("Tile", g.const(np.float32([[1]])), g.const(huge), name="made"))
    made("pad-huge", ["beyond"], lambda g: g.op("Pad", g.const(np.float32([[1]])), g.const(np.int64([1 << 20] * 4)), name="made"))
    made("pad-negative", ["pads"], lambda g: g.op("Pad", g.const(np.float32([[1]])), g.const(np.int64([-1] * 4)), name="made"))
    made("reshape-overflow", ["cannot become"], lambda g: g.op("Reshape", g.const(np.float32([[1]])), g.const(np.int64([1 << 62, 1 << 62, -1])), name="made"))
    made("gather-beyond", ["index"], lambda g: g.op("Gather", g.const(np.float32([1, 2])), g.const(np.int64(5)), name="made"))
    made("split-0", ["split"], lambda g: g.op("Split", g.stem(), g.const(np.int64([8, 0])), outputs=2, axis=1, name="made")[0])
    made("slice-step-0", ["step"], lambda g: g.op("Slice", g.const(np.float32([1, 2])), g.const(np.int64([0])), g.const(np.int64([1])), g.const(np.int64([0])), g.const(np.int64([0])), name="made"))
    made("transpose-perm", ["perm"], lambda g: g.op("Transpose", g.stem(), perm=[0, 0, 1, 1 << 40], name="made"))
    made("concat-axis", ["axis"], lambda g: g.op("Concat", g.stem(), g.stem(), axis=1 << 40, name="made"))
    made("divide-by-0", ["no result"], lambda g: g.op("Reshape", g.const(np.float32([1])), g.op("Div", g.const(np.int64([1])), g.const(np.int64([0])), name="made")))

    g = Graph()
    x = g.stem()
    for i in range(60):
        x = g.op("Concat", x, x, axis=1, name=f"twice{i}")
    case("bad-concat-sixty", g, x, "refused", ["beyond"])

    g = Graph()
    shape = g.const(np.int64([1, 8192, 64, 64]))
    parts = [g.op("ConstantOfShape", shape) for _ in range(12)]
    x = g.op("GlobalAveragePool", g.op("Sum", *parts))
    x = g.op("Concat", x, g.op("GlobalAveragePool", g.stem()), axis=1, name="end")
    case("bad-held-together", g, x, "refused", ["held"])

    g = Graph()
    g.nodes.append(helper.make_node("Relu", ["b"], ["a"], name="first"))
    g.nodes.append(helper.make_node("Add", ["a", "input"], ["b"], name="second"))
    case("bad-cycle", g, "b", "refused", ["own result"])

    g = Graph()
    x = g.stem()
    g.nodes.append(helper.make_node("Relu", [x], [x], name="again"))
    case("bad-written-twice", g, x, "refused", ["again"])

    g = Graph()
    case("bad-missing-input", g, g.op("Relu", "nowhere", name="end"), "refused", ["nowhere"])

    g = Graph()
    case("bad-no-operands", g, g.op("Conv", name="end"), "refused", ["input"])

    for name, dims, data in [("max", [(1 << 63) - 1, 0, 1, 1], b""), ("zero", [0, 1 << 40, 1 << 40], b"")]:
        g = Graph()
        w = helper.make_tensor("w", TensorProto.FLOAT, [0], b"", raw=True)
        del w.dims[:]
        w.dims.extend(dims)
        g.stored.append(w)
        case(f"bad-dims-{name}", g, g.op("Conv", "input", "w", name="end"), "refused", ["\"w\""])

    g = Graph()
    case("bad-operator", g, g.op("Einsum", g.stem(), equation="nchw->nc", name="end"), "refused", ["end", "not supported"])


# --- Vision transformers ------------------------------------------------------------------------------------------------

def transformer(spelled_out, pooled):
    """A vision transformer of 16 patches and a class token, 2 blocks, 2 heads; [1, 8] comes of it."""
    wide, heads, tokens = 8, 2, 17
    g = Graph()

    def dense(x, to, of=wide):
        return g.op("Add", g.op("MatMul", x, g.const(weights(to, of).T.copy())), g.const(weights(to, to)[0]))

    def norm(x):
        scale, shift = g.const(np.linspace(0.8, 1.2, wide).astype(np.float32)), g.const(weights(wide, wide)[0])
        if not spelled_out:
            return g.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=1e-6)
        x = g.op("Sub", x, g.op("ReduceMean", x, axes=[-1]))
        variance = g.op("ReduceMean", g.op("Pow", x, g.const(np.float32(2))), axes=[-1])
        x = g.op("Div", x, g.op("Sqrt", g.op("Add", variance, g.const(np.float32(1e-6)))))
        return g.op("Add", g.op("Mul", x, scale), shift)

    def split(x, perm):
        shape = [1, tokens, heads, wide // heads]
        return g.op("Transpose", g.op("Reshape", x, g.const(np.int64(shape))), perm=perm)

    def attention(x):
        q, k, v = split(dense(x, wide), [0, 2, 1, 3]), split(dense(x, wide), [0, 2, 3, 1]), split(dense(x, wide), [0, 2, 1, 3])
        scores = g.op("Mul", g.op("MatMul", q, k), g.const(np.float32((wide / heads) ** -0.5)))
        x = g.op("Transpose", g.op("MatMul", g.op("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        return dense(g.op("Reshape", x, g.const(np.int64([1, tokens, wide]))), wide)

    def gelu(x):
        erf = g.op("Erf", g.op("Div", x, g.const(np.float32(2 ** 0.5))))
        return g.op("Mul", g.op("Mul", x, g.op("Add", erf, g.const(np.float32(1)))), g.const(np.float32(0.5)))

    x = g.conv("input", wide, 3, k=4, strides=[4, 4], pads=[0, 0, 0, 0])
    if spelled_out:
        # As torch writes `flatten(2)`: the shape is computed.
        batch = g.op("Slice", g.op("Shape", x), g.const(np.int64([0])), g.const(np.int64([2])))
        x = g.op("Reshape", x, g.op("Concat", batch, g.const(np.int64([-1])), axis=0))
    else:
        x = g.op("Reshape", x, g.const(np.int64([1, wide, -1])))
    x = g.op("Transpose", x, perm=[0, 2, 1])
    x = g.op("Concat", g.const(weights(1, 1, wide)), x, axis=1)
    x = g.op("Add", x, g.const(weights(1, tokens, wide)))
    for _ in range(2):
        x = g.op("Add", x, attention(norm(x)))
        x = g.op("Add", x, dense(gelu(dense(norm(x), 2 * wide)), wide, 2 * wide))
    x = norm(x)
    if pooled == "class":
        x = g.op("Gather", x, g.const(np.int64(0)), axis=1, name="end")
    else:
        x = g.op("ReduceMean", x, axes=[1], keepdims=0, name="end")
    return g, x


def transformer_cases():
    case("vit-class-token", *transformer(False, "class"), "tract", says=["Reshape"], mean=0.5, std=0.5)
    case("vit-mean-of-tokens", *transformer(True, "mean"), "tract", says=["Shape"], mean=0.5, std=0.5)


shutil.rmtree(FOLDER, ignore_errors=True)
os.makedirs(FOLDER)
for make in (nhwc_cases, input_cases, weight_cases, operator_cases, layer_cases, hostile_cases, transformer_cases):
    make()
with open(os.path.join(FOLDER, "cases.json"), "w") as file:
    json.dump(CASES, file, indent=1, sort_keys=True)
    file.write("\n")
print(len(CASES), "cases,", sum(os.path.getsize(os.path.join(FOLDER, f)) for f in os.listdir(FOLDER)), "bytes")
