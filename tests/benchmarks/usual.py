"""The same work as it is usually written, for the ratios of bench.py: record by record, image by
image, in 32-bit floats."""

import struct
from pathlib import Path

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from torch import nn

RECORD = 8199  # bytes of ETL9G


def extract(source: Path, shard: Path, count: int) -> None:
    """Published readers' way: a record, a struct, a Pillow image at a time; with all of our work,
    which is to name the character, and to crop it, centre it and stretch its contrast."""
    images, characters = [], []
    with open(source, "rb") as file:
        for _ in range(count):
            record = file.read(RECORD)
            code = struct.unpack(">2H8sI4B4H2B34x8128s7x", record)[1]
            escaped = b"\x1b$B" + code.to_bytes(2, "big") + b"\x1b(B"
            characters.append(escaped.decode("iso2022_jp"))
            frame = Image.frombytes("F", (128, 127), record[64:8192], "bit", 4).convert("L")
            frame = ImageOps.autocontrast(frame.resize((64, 64), Image.Resampling.BOX))
            box = frame.point(lambda level: 255 if level > 102 else 0).getbbox() or (0, 0, 64, 64)
            character = frame.crop(box)
            scale = min(56 / max(character.size), 1.5)
            size = tuple(max(round(side * scale), 1) for side in character.size)
            square = Image.new("L", (64, 64))
            square.paste(
                character.resize(size, Image.Resampling.BILINEAR),
                ((64 - size[0]) // 2, (64 - size[1]) // 2),
            )
            images.append(np.asarray(square))
    with h5py.File(shard, "w") as file:
        file["images"] = np.stack(images)
        file["codepoint"] = np.array([ord(c) for c in characters], np.int32)


def synthesize(
    strokes: list[list[np.ndarray]], path: Path, rng: np.random.Generator, side: int = 2
) -> None:
    """A character at a time, drawn with Pillow at twice its size and packed pixel by pixel's pair;
    each stroke, (n, 2) in the unit square, is moved, turned and scaled."""
    with open(path, "wb") as file:
        for serial, character in enumerate(strokes):
            canvas = Image.new("L", (128 * side, 127 * side))
            pen = ImageDraw.Draw(canvas)
            width = int(side * rng.uniform(3, 8))
            slant, size = rng.normal(0, 0.1), rng.uniform(0.7, 0.95)
            for stroke in character:
                angle, scale = rng.normal(0, 0.05), rng.normal(1, 0.05)
                turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
                middle = stroke.mean(0)
                moved = (stroke - middle) @ turn * scale + middle + rng.normal(0, 0.02, 2) - 0.5
                moved[:, 0] -= slant * moved[:, 1]
                points = (size * moved + 0.5) * (128 * side, 127 * side)
                pen.line([tuple(p) for p in points.tolist()], 255, width, "curve")
            small = canvas.resize((128, 127)).filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.8)))
            noisy = np.asarray(small) / 17 + rng.normal(0, 0.4, (127, 128))
            levels = noisy.round().clip(0, 15).astype(np.uint8).ravel()
            packed = (levels[0::2] << 4 | levels[1::2]).tobytes()
            head = struct.pack(">2H8sI4B4H2B34x", 1, 0x2121, b"KAKITORI", serial, *[0] * 10)
            file.write(head + packed + bytes(RECORD - len(head) - len(packed)))


class Distorted(torch.utils.data.Dataset):
    """torchvision's way: Pillow images and a list of transforms, one sample at a time."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, k: int) -> tuple[torch.Tensor, int]:
        rng = np.random.default_rng([k, int(torch.randint(1 << 30, ()))])
        image = Image.fromarray(self.images[k])
        if rng.random() < 0.2:
            image = image.filter(ImageFilter.MaxFilter(3))
        elif rng.random() < 0.1:
            image = image.filter(ImageFilter.MinFilter(3))
        side = image.width
        angle, shear = np.deg2rad(rng.normal(0, 5)), rng.normal(0, 0.1)
        sx, sy = np.exp(rng.normal(0, 0.1, 2))
        a, b = np.cos(angle) * sx, (np.cos(angle) * shear - np.sin(angle)) * sy
        d, e = np.sin(angle) * sx, (np.sin(angle) * shear + np.cos(angle)) * sy
        dx, dy = rng.normal(0, 0.025 * side, 2)
        half = side / 2
        matrix = (a, b, half - a * half - b * half + dx, d, e, half - d * half - e * half + dy)
        image = image.transform(
            (side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
        )
        tensor = torch.from_numpy(np.array(image, np.float32) / 255)[None, None]
        tensor = F.grid_sample(tensor, elastic(side, rng), align_corners=False)[0]
        if rng.random() < 0.15:
            tensor = F.avg_pool2d(tensor, 3, 1, 1)
        tensor = tensor * (1 + 0.1 * float(rng.normal()))
        noise = torch.from_numpy(rng.normal(0, 0.025, (1, side, side)).astype(np.float32))
        return ((tensor + noise).clamp(0, 1) - 0.5) / 0.5, int(self.labels[k])


def elastic(side: int, rng: np.random.Generator, sigma: float = 5.0) -> torch.Tensor:
    """Where each pixel is read from, (1, side, side, 2): noise, smoothed by a Gaussian and added to
    the grid, which is how torchvision's ElasticTransform does it (Simard et al. 2003)."""
    reach = int(4 * sigma)
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = torch.outer(bell, bell) / bell.sum() ** 2
    noise = torch.from_numpy(rng.uniform(-1, 1, (2, 1, side, side)).astype(np.float32))
    smooth = F.conv2d(F.pad(noise, [reach] * 4, "reflect"), kernel[None, None])[:, 0]
    axis = (torch.arange(side) * 2 + 1) / side - 1
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    return (grid + 1.4 * smooth.permute(1, 2, 0))[None]


def loader(
    images: np.ndarray, labels: np.ndarray, batch: int, workers: int
) -> torch.utils.data.DataLoader:
    """Distorted images, shuffled, in batches."""
    return torch.utils.data.DataLoader(
        Distorted(images, labels), batch, shuffle=True, num_workers=workers, drop_last=True
    )


class Learner:
    """A tutorial's step: 32-bit floats, eager, Adam at a constant rate."""

    def __init__(self, model: nn.Module, rate: float = 0.001) -> None:
        self.model = model.train()
        self.optimiser = torch.optim.Adam(model.parameters(), rate)

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self.optimiser.zero_grad()
        F.cross_entropy(self.model(images).logits, labels).backward()
        self.optimiser.step()
