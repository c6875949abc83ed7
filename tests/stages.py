#!/usr/bin/env python3
"""Servers of a cascade's stages, on this machine: what they say is made by pocketsphinx and flite.

    stages.py PORT

    POST /v1/audio/transcriptions   multipart with a wav file; what pocketsphinx_continuous hears
    POST /v1/chat/completions       streamed, a few letters at a time: repeats what the user said
    POST /v1/audio/speech           like a server of Sesame CSM: wav at 24 kHz with sizes that are never right, in
                                    frames of 80 ms at 0.28 of real time, cut within samples; one at a time

Paths that begin with /slow, /broken or /mp3 do what servers do on bad days: never answer, hang up halfway, send what
nobody asked for.
"""

import array
import http.server
import json
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
import wave

RATE_HZ = 24_000
FRAME_SAMPLES = RATE_HZ * 80 // 1_000
REAL_TIME_FACTOR = 0.28
ONE_AT_A_TIME = threading.Lock()


class Stages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            self.serve(body)
        except (BrokenPipeError, ConnectionResetError):
            # The user has interrupted.
            print(f"was hung up on: {self.path}", flush=True)
            self.close_connection = True

    def serve(self, body):
        day, path = re.fullmatch(r"(/slow|/broken|/mp3)?(/v1/.*)", self.path).groups()
        if day == "/slow":
            time.sleep(60)
        elif path == "/v1/audio/transcriptions":
            self.answer({"text": transcribe(body)})
        elif path == "/v1/chat/completions":
            self.write_chat(json.loads(body), day)
        elif path == "/v1/audio/speech":
            with ONE_AT_A_TIME:
                self.speak(json.loads(body), day)

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def begin(self, content_type):
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def write_chat(self, request, day):
        asked = [message["content"] for message in request["messages"] if message["role"] == "user"]
        is_rest = asked[-1].startswith("(Your answer was cut off")
        text = f"**You said:** {asked[-2 if is_rest else -1]}. Is there _anything_ else, e.g. a question?"
        if is_rest:
            said = [message["content"] for message in request["messages"] if message["role"] == "assistant"][-1]
            text = text.removeprefix(said).lstrip()
        # What the model is told; all of it is the tests' own.
        print(json.dumps(request["messages"]), flush=True)
        self.begin("text/event-stream")
        for at, piece in enumerate(re.findall(r".{1,5}", text)):
            event = {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
            data = f"data: {json.dumps(event)}\n\n".encode()
            # Servers do not care where they cut.
            self.chunk(data[:17])
            self.chunk(data[17:])
            if day == "/broken" and at == 5:
                return self.hang_up()
            time.sleep(0.005)
        usage = {"prompt_tokens": len(str(request["messages"])) // 4, "completion_tokens": len(text) // 4}
        self.chunk(f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n".encode())
        self.chunk(b"data: [DONE]\n\n")
        self.chunk(b"")

    def speak(self, request, day):
        if day == "/mp3":
            self.begin("audio/mpeg")
            self.chunk(b"ID3" + bytes(1_000))
            return self.chunk(b"")
        pcm = synthesise(request["input"])
        self.begin("audio/wav")
        endless = 0xFFFFFFFF
        data = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", endless, b"WAVE", b"fmt ", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16, b"data", endless)
        for at in range(0, len(pcm), FRAME_SAMPLES):
            time.sleep(0.08 * REAL_TIME_FACTOR)
            data += pcm[at : at + FRAME_SAMPLES].tobytes()
            # Half a sample stays behind for the next.
            self.chunk(data[:-1])
            data = data[-1:]
            if day == "/broken" and at >= 3 * FRAME_SAMPLES:
                return self.hang_up()
        self.chunk(data)
        self.chunk(b"")

    def hang_up(self):
        print(f"hangs up: {self.path}", flush=True)
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_):
        pass


def transcribe(body):
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        start = body.index(b"RIFF")
        (size,) = struct.unpack("<I", body[start + 4 : start + 8])
        file.write(body[start : start + 8 + size])
        file.flush()
        command = ["pocketsphinx_continuous", "-infile", file.name, "-logfn", "/dev/null"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def synthesise(text):
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", file.name], check=True)
        with wave.open(file.name) as spoken:
            narrow = array.array("h", spoken.readframes(spoken.getnframes()))
    wide = array.array("h")
    # Two samples become three.
    for one, two in zip(narrow[::2], narrow[1::2]):
        wide.extend((one, (one + 2 * two) // 3, two))
    return wide


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Stages)
server.daemon_threads = True
print(f"listens on {server.server_address[1]}", flush=True)
server.serve_forever()
