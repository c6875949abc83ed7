#!/usr/bin/env python3
"""Checks a call by its recording and its report.

    measure.py tone FILE.wav HZ        the recording holds a tone of HZ; prints its level
    measure.py speech FILE.wav SECONDS the recording holds at least SECONDS of sound
    measure.py heard FILE.wav WORD     a recogniser (pocketsphinx_continuous) hears WORD in the recording
    measure.py trim FILE.wav           cuts the silence off both ends of a mono recording; prints what is left, in ms
    measure.py report FILE.json EXPR   EXPR, a Python expression over `report`, is true
"""

import array
import json
import math
import subprocess
import sys
import tempfile
import wave

FRAME_S = 0.02
SOUND_DBFS = -50.0
# Above the breath and hiss that a synthesiser puts around its speech.
SPEECH_DBFS = -40.0


def samples(path):
    with wave.open(path) as file:
        if file.getsampwidth() != 2:
            sys.exit(f"{path}: expected 16-bit samples, found {8 * file.getsampwidth()}-bit")
        data = array.array("h", file.readframes(file.getnframes()))
        return data[:: file.getnchannels()], file.getframerate()


def dbfs(power):
    return 10 * math.log10(power / 32768**2) if power > 0 else -127.0


def tone_power(block, rate_hz, hz):
    """The power of one frequency in a block (Goertzel)."""
    coefficient = 2 * math.cos(2 * math.pi * hz / rate_hz)
    older = old = 0.0
    for sample in block:
        older, old = old, sample + coefficient * old - older
    magnitude = old * old + older * older - coefficient * old * older
    return 2 * magnitude / len(block) ** 2


def tone(path, hz):
    data, rate_hz = samples(path)
    size = int(rate_hz * 0.1)
    blocks = [data[at : at + size] for at in range(0, len(data) - size, size)]
    loudest = max((dbfs(tone_power(block, rate_hz, hz)) for block in blocks), default=-127.0)
    print(f"{path}: {hz} Hz at {loudest:.1f} dBFS")
    return loudest > -30


def speech(path, seconds):
    data, rate_hz = samples(path)
    size = int(rate_hz * FRAME_S)
    blocks = [data[at : at + size] for at in range(0, len(data) - size, size)]
    sounding = sum(dbfs(sum(s * s for s in block) / size) > SOUND_DBFS for block in blocks) * FRAME_S
    print(f"{path}: {sounding:.1f} s of sound in {len(data) / rate_hz:.1f} s")
    return sounding >= seconds


def heard(path, word):
    data, rate_hz = samples(path)
    step = rate_hz // 16_000
    pcm = array.array("h", (sum(data[at : at + step]) // step for at in range(0, len(data) - step + 1, step)))
    with tempfile.NamedTemporaryFile(suffix=".wav") as narrow:
        with wave.open(narrow.name, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(pcm.tobytes())
        command = ["pocketsphinx_continuous", "-infile", narrow.name, "-logfn", "/dev/null"]
        words = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    print(words)
    return word in words.split()


def trim(path):
    data, rate_hz = samples(path)
    size = rate_hz // 100
    blocks = range(0, len(data) - size, size)
    loud = [at for at in blocks if dbfs(sum(s * s for s in data[at : at + size]) / size) > SPEECH_DBFS]
    left = data[loud[0] : loud[-1] + size]
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(left.tobytes())
    print(len(left) * 1000 // rate_hz)
    return True


def report(path, expression):
    with open(path) as file:
        loaded = json.load(file)
    holds = bool(eval(expression, {"report": loaded}))  # The expressions are this repository's own.
    if not holds:
        print(f"not true: {expression}\n{json.dumps(loaded, indent=1)[:6000]}")
    return holds


def main():
    match sys.argv[1:]:
        case ["tone", path, hz]:
            good = tone(path, float(hz))
        case ["speech", path, seconds]:
            good = speech(path, float(seconds))
        case ["heard", path, word]:
            good = heard(path, word)
        case ["trim", path]:
            good = trim(path)
        case ["report", path, expression]:
            good = report(path, expression)
        case _:
            sys.exit(__doc__)
    sys.exit(0 if good else 1)


main()
