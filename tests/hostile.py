#!/usr/bin/env python3
"""Throws malformed HTTP, SDP and datagrams at a running server: `hostile.py BASE HOST:PORT [SEED]`.

Every HTTP answer must be a 4xx problem; the server must still be well afterwards. Bounded: a few hundred
requests and a few thousand datagrams.
"""

import json
import random
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request

OFFER = """v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=rtcp-mux
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:sha-256 """ + ":".join(["AB"] * 32) + """
a=setup:actpass
a=mid:0
a=sendrecv
a=rtpmap:111 opus/48000/2
"""


def post(base, path, body, content_type, method="POST"):
    request = urllib.request.Request(
        base + path, data=body, method=method, headers={"content-type": content_type}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def mutated(text, rng):
    data = bytearray(text.encode())
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                del data[at : at + rng.randint(1, 40)]
            case 2:
                data[at:at] = rng.randbytes(rng.randint(1, 40))
            case 3:
                data[at:at] = data[at : at + 200]
    return bytes(data) or b"\n"


def hostile_offers(base, rng):
    statuses = {}
    bodies = [b"", b"v=0\r\n", b"\xff" * 100, b"a" * 1_000_000, OFFER.encode()[:200]]
    bodies += [mutated(OFFER.replace("\n", "\r\n"), rng) for _ in range(200)]
    for body in bodies:
        status, headers, answer = post(base, "/v1/rtc", body, "application/sdp")
        statuses[status] = statuses.get(status, 0) + 1
        if status == 201:
            call = urllib.parse.urljoin(base + "/v1/rtc", headers["location"])
            urllib.request.urlopen(urllib.request.Request(call, method="DELETE"), timeout=10)
        elif not 400 <= status < 500:
            # Mutations can leave many calls waiting to connect: 503 is an honest answer.
            assert status == 503, (status, answer[:300], body[:300])
        else:
            assert headers["content-type"].startswith("application/problem+json"), headers.items()
            problem = json.loads(answer)
            assert problem["title"] and problem["status"] == status, problem
    print("offers answered:", dict(sorted(statuses.items())))


def hostile_requests(base):
    rows = [
        ("POST", "/v1/rtc", b"{}", "application/json", 415),
        ("POST", "/v1/session", b"{", "application/json", 400),
        ("POST", "/v1/session", b'{"agnet": "x"}', "application/json", 400),
        ("POST", "/v1/session", b'{"agent": "nobody"}', "application/json", 404),
        ("PATCH", "/v1/rtc/nothing", b"a=ice-ufrag:x", "application/trickle-ice-sdpfrag", 404),
        ("DELETE", "/v1/rtc/nothing", None, "text/plain", 404),
        ("PUT", "/v1/rtc", b"x", "application/sdp", 405),
        ("GET", "/../../etc/passwd", None, "text/plain", 404),
    ]
    for method, path, body, content_type, expected in rows:
        status, _, answer = post(base, path, body, content_type, method)
        assert status == expected, (method, path, status, answer)
    print("requests refused:", len(rows))


def hostile_datagrams(address, rng):
    host, port = address.rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for _ in range(3_000):
            first = rng.choice([0, 1, 20, 22, 64, 128, 200, 255])
            udp.sendto(bytes([first]) + rng.randbytes(rng.randrange(200)), (host, int(port)))
    for first in [b"", b"\x00\x00", b"\xff\xff", b"GET / HTTP/1.1\r\n\r\n", rng.randbytes(5_000)]:
        with socket.create_connection((host, int(port)), timeout=5) as tcp:
            try:
                tcp.sendall(first)
                tcp.shutdown(socket.SHUT_WR)
                tcp.recv(100)
            except OSError:
                pass  # The server hung up first, which is its right.
    print("datagrams and streams sent")


def main():
    base, address = sys.argv[1:3]
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    print("seed", seed)
    rng = random.Random(seed)
    hostile_requests(base)
    hostile_offers(base, rng)
    hostile_datagrams(address, rng)
    with urllib.request.urlopen(base + "/healthz", timeout=5) as answer:
        assert answer.status == 200
    print("the server is well")


main()
