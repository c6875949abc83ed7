#!/usr/bin/env python3
"""Writes features.txt: the log-mel features of ../silero/speech.ulaw, by numpy, step by step in float64.

    python3 features.py > features.txt

The steps are those of `transformers.WhisperFeatureExtractor(chunk_length=8)` with `do_normalize`: written
out here from its definition and sharing nothing with src/dsp/mel.rs.
"""
from pathlib import Path

import numpy as np

RATE, LENGTH, HOP, BANDS = 16_000, 400, 160, 80
SAMPLES = 8 * RATE


def ulaw(codes):
    """ITU-T G.711."""
    flipped = ~codes.astype(np.int32) & 0xFF
    exponent, mantissa = (flipped >> 4) & 7, flipped & 15
    magnitude = (((mantissa << 3) + 132) << exponent) - 132
    return np.where(flipped & 0x80, -magnitude, magnitude)


def to_mel(hz):
    return np.where(hz >= 1000, 15 + 27 * np.log(np.maximum(hz, 1) / 1000) / np.log(6.4), hz * 0.015)


def to_hz(mel):
    return np.where(mel >= 15, 1000 * np.exp((mel - 15) * np.log(6.4) / 27), mel / 0.015)


def filters():
    edges = to_hz(np.linspace(to_mel(np.array(0.0)), to_mel(np.array(RATE / 2)), BANDS + 2))
    bins = np.linspace(0, RATE / 2, LENGTH // 2 + 1)
    bank = np.zeros((BANDS, len(bins)))
    for band in range(BANDS):
        low, middle, high = edges[band:band + 3]
        bank[band] = np.interp(bins, [low, middle, high], [0, 1, 0]) * 2 / (high - low)
    return bank


codes = np.frombuffer((Path(__file__).parent / "../silero/speech.ulaw").read_bytes(), np.uint8)
sound = np.zeros(SAMPLES)
sound[-len(codes):] = ulaw(codes) / 32768
sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
padded = np.pad(sound, LENGTH // 2, mode="reflect")
hann = np.sin(np.pi * np.arange(LENGTH) / LENGTH) ** 2
columns = [padded[at:at + LENGTH] * hann for at in range(0, SAMPLES, HOP)]
power = np.abs(np.fft.rfft(columns, axis=1)) ** 2
log = np.log10(np.maximum(power @ filters().T, 1e-10))
features = (np.maximum(log, log.max() - 8) + 4) / 4
print("# column, then its 80 bands")
for column in [0, 1, 400, 460, *range(470, 800, 25), 799]:
    print(column, *(f"{value:.5f}" for value in features[column]))
