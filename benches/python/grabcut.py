"""OpenCV's GrabCut on the things that `lookalike eval taps` taps, as a reference for how well a thing can be outlined.

    pip install opencv-python-headless numpy
    python benches/python/grabcut.py PHOTOS [--least 0.05] [--side 512]

Three ways to begin, five rounds each:
- box: all outside of the thing's true box is ground. Our taps are given no box: this is a bound, not a rival.
- tap: a disc at the innermost point is the thing, the photo's border is ground, the rest is taken for ground at first.
- rectangle: the same disc, within a rectangle of half the photo's sides about the tap.

Prints intersection over union with the true box and outline, means and standard errors over things.
"""

import argparse
import json
import math
from pathlib import Path

import cv2
import numpy as np

ROUNDS = 5


def outline_of(thing, scale, shape):
    mask = np.zeros(shape, np.uint8)
    polygon = np.round(np.array(thing["polygon"], np.float64) * scale).astype(np.int32)
    cv2.fillPoly(mask, [polygon], 1)
    return mask


def bounds(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        return None
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def box_iou(a, b):
    if a is None or b is None:
        return 0.0
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    both = max(across, 0) * max(down, 0)
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return both / (area(a) + area(b) - both)


def iou(a, b):
    either = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / either if either else 0.0


def cut(photo, mask):
    """GrabCut from a mask; nothing where it cannot tell two sets of colours apart."""
    try:
        cv2.grabCut(photo, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:
        return np.zeros(mask.shape, np.uint8)
    return ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8)


def joined(mask, tap):
    """What hangs together with the tap."""
    _, labels = cv2.connectedComponents(mask)
    return ((labels == labels[tap[1], tap[0]]) & (mask == 1)).astype(np.uint8)


def from_box(photo, box, _tap):
    mask = np.full(photo.shape[:2], cv2.GC_BGD, np.uint8)
    mask[box[1]:box[3], box[0]:box[2]] = cv2.GC_PR_FGD
    return cut(photo, mask)


def from_tap(photo, _box, tap):
    height, width = photo.shape[:2]
    mask = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    mask[[0, -1], :] = cv2.GC_BGD
    mask[:, [0, -1]] = cv2.GC_BGD
    cv2.circle(mask, tap, max(2, max(width, height) // 32), cv2.GC_FGD, -1)
    return joined(cut(photo, mask), tap)


def from_rectangle(photo, _box, tap):
    height, width = photo.shape[:2]
    mask = np.full((height, width), cv2.GC_BGD, np.uint8)
    left, top = max(tap[0] - width // 4, 0), max(tap[1] - height // 4, 0)
    mask[top:tap[1] + height // 4, left:tap[0] + width // 4] = cv2.GC_PR_FGD
    cv2.circle(mask, tap, max(2, max(width, height) // 32), cv2.GC_FGD, -1)
    return joined(cut(photo, mask), tap)


WAYS = {"box": from_box, "tap": from_tap, "rectangle": from_rectangle}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--least", type=float, default=0.05, help="least share of the photo of an outline")
    parser.add_argument("--side", type=int, default=512, help="longer side of the photo as it is cut, in pixels")
    options = parser.parse_args()
    cv2.setRNGSeed(1)
    found = {name: [] for name in WAYS}
    for entry in json.loads((options.photos / "objects.json").read_text()):
        photo = cv2.imread(str(options.photos / entry["file"]))
        if photo is None:
            raise SystemExit(f"{entry['file']}: cannot be read")
        scale = min(1.0, options.side / max(photo.shape[:2]))
        photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for thing in entry["objects"]:
            true = outline_of(thing, scale, photo.shape[:2])
            if true.mean() < options.least:
                continue
            inner = cv2.distanceTransform(np.pad(true, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
            row, column = np.unravel_index(inner.argmax(), inner.shape)
            box, tap = bounds(true), (int(column), int(row))
            for name, way in WAYS.items():
                mask = way(photo, box, tap)
                found[name].append((thing["kind"] == "person", box_iou(bounds(mask), box), iou(mask, true)))
    for name, all_things in found.items():
        for label, things in (("all", all_things), ("without persons", [t for t in all_things if not t[0]])):
            values = np.array([t[1:] for t in things])
            mean, error = values.mean(0), values.std(0, ddof=1) / math.sqrt(len(values))
            print(f"{name:10} {label:16} {len(values):4}  box {mean[0]:.3f} ± {error[0]:.3f}  outline {mean[1]:.3f} ± {error[1]:.3f}")


if __name__ == "__main__":
    main()
