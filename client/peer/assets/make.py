#!/usr/bin/env python3
"""Makes the speech that `antiphon-peer duplex` says, with flite: client/peer/assets/make.py

Each file is headerless G.711 µ-law at 16 kHz (one octet per sample), trimmed to the speech and set to one
level. What is to be paused in its middle is two files, cut between two sounds of one utterance: its first
part therefore lacks the falling pitch and the lengthening of an ending, as speech before a hesitation does.
"""

import array
import math
import pathlib
import subprocess
import tempfile
import wave

HERE = pathlib.Path(__file__).parent
RATE_HZ = 16_000
# The mean level of the frames that are not pauses.
LEVEL_DBFS = -24.0
# Quieter samples at the ends are trimmed.
EDGE = 32_768 * 10 ** (-46 / 20)
FADE = RATE_HZ // 200

# Without commas: flite would pause at them, for longer than an eager agent waits.
WHOLE = {
    "rms_time": ("rms", "What time do you open today?"),
    "rms_thanks": ("rms", "Thank you that is all."),
    "rms_stop": ("rms", "Wait stop I meant something else."),
    "slt_time": ("slt", "How late are you open tonight?"),
    "slt_thanks": ("slt", "Please tell me a bit more."),
    "slt_stop": ("slt", "Please stop because I wanted another."),
    "rms_okay": ("rms", "Okay."),
    "rms_yeah": ("rms", "Yeah."),
    "rms_right": ("rms", "Right."),
    "slt_okay": ("slt", "Okay."),
    "slt_yeah": ("slt", "Yeah."),
    "slt_right": ("slt", "Right."),
}
# Sounds that are no words: flite's phones.
PHONES = {
    "rms_mhm": ("rms", "pau m hh m pau"),
    "slt_mhm": ("slt", "pau m hh m pau"),
    "rms_uhhuh": ("rms", "pau ah hh ah pau"),
    "slt_uhhuh": ("slt", "pau ah hh ah pau"),
}
# Said with a pause, or none, between the two parts.
SPLIT = {
    "rms_table": ("rms", "I want to book a table for", "two people on friday."),
    "rms_parcel": ("rms", "Please send the parcel to", "twenty two castle street."),
    "slt_train": ("slt", "Could you tell me whether the next", "train stops in york?"),
    "slt_bill": ("slt", "I phoned you yesterday because the", "bill was too high."),
}


def flite(voice, *what):
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        command = ["flite", "-voice", voice, "-psdur", *what, "-o", file.name]
        phones = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        with wave.open(file.name) as sound:
            assert (sound.getframerate(), sound.getsampwidth(), sound.getnchannels()) == (RATE_HZ, 2, 1)
            samples = array.array("h", sound.readframes(sound.getnframes()))
    ends = [(name, float(end)) for name, end in (phone.split(":") for phone in phones)]
    return list(samples), ends


def trimmed(samples):
    loud = [index for index, sample in enumerate(samples) if abs(sample) >= EDGE]
    return samples[loud[0] : loud[-1] + 1]


def level_dbfs(samples):
    size = RATE_HZ // 50
    frames = [samples[at : at + size] for at in range(0, len(samples) - size, size)]
    powers = [sum(sample**2 for sample in frame) / size / 32_768**2 for frame in frames]
    voiced = [power for power in powers if power > 1e-5]
    return 10 * math.log10(sum(voiced) / len(voiced))


def ulaw(sample):
    sample = max(-32_635, min(32_635, round(sample)))
    magnitude = abs(sample) + 132
    segment = magnitude.bit_length() - 8
    octet = (128 if sample < 0 else 0) | segment << 4 | (magnitude >> (segment + 3)) & 15
    return ~octet & 255


def write(name, samples, gain):
    faded = [
        sample * gain * min(1, (index + 1) / FADE, (len(samples) - index) / FADE)
        for index, sample in enumerate(samples)
    ]
    (HERE / f"{name}.ul").write_bytes(bytes(map(ulaw, faded)))
    print(f"{name}: {len(samples) / RATE_HZ:.2f} s")


def gain_of(samples):
    return 10 ** ((LEVEL_DBFS - level_dbfs(samples)) / 20)


def main():
    for name, (voice, text) in WHOLE.items():
        samples = trimmed(flite(voice, "-t", text)[0])
        write(name, samples, gain_of(samples))
    for name, (voice, phones) in PHONES.items():
        samples = trimmed(flite(voice, "-p", phones)[0])
        write(name, samples, gain_of(samples))
    for name, (voice, before, after) in SPLIT.items():
        samples, ends = flite(voice, "-t", f"{before} {after}")
        sounds = [end for phone, end in ends if phone != "pau"]
        spoken_before = sum(phone != "pau" for phone, _ in flite(voice, "-t", before)[1])
        cut = round(sounds[spoken_before - 1] * RATE_HZ)
        gain = gain_of(samples)
        write(f"{name}_1", trimmed(samples[:cut]), gain)
        write(f"{name}_2", trimmed(samples[cut:]), gain)


main()
