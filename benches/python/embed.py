"""Embeds the pictures of a catalogue with onnxruntime, as a shop would without us.

    python embed.py catalog.csv model.onnx

Decodes with Pillow, resizes, runs the network on every core in the faster of two ways (pictures side by side on one
thread each, or one picture on all threads), and prints how many pictures it embedded and in how many seconds. The model
is loaded beforehand and the ways are tried on the first pictures: neither is counted.
"""

import csv
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

TRIED = 16


def session(model, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def embedder(runner, side):
    name = runner.get_inputs()[0].name

    def embed(path):
        with Image.open(path) as picture:
            shown = picture.convert("RGBA")
            white = Image.new("RGBA", shown.size, "white")
            small = Image.alpha_composite(white, shown).convert("RGB").resize((side, side), Image.BILINEAR)
        planes = np.asarray(small, dtype=np.float32).transpose(2, 0, 1)[None] / 255
        return runner.run(None, {name: np.ascontiguousarray(planes)})[0][0]

    return embed


def run(embed, workers, paths):
    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        rows = np.stack(list(pool.map(embed, paths)))
    return time.perf_counter() - start, rows


def main(table, model):
    folder = Path(table).parent
    with open(table, newline="", encoding="utf-8") as file:
        paths = [folder / row["image"] for row in csv.DictReader(file)]
    cores = len(os.sched_getaffinity(0))
    ways = []
    for threads, workers in ((1, cores), (cores, 1)):
        runner = session(model, threads)
        embed = embedder(runner, runner.get_inputs()[0].shape[2])
        run(embed, workers, paths[:2])
        ways.append((run(embed, workers, paths[:TRIED])[0], threads, workers, embed))
    _, threads, workers, embed = min(ways, key=lambda way: way[0])
    seconds, rows = run(embed, workers, paths)
    assert rows.shape[0] == len(paths) and np.isfinite(rows).all()
    print(json.dumps({"pictures": len(paths), "seconds": seconds, "threads": threads, "workers": workers}))


if __name__ == "__main__":
    main(*sys.argv[1:])
