"""A call by aiortc, a WebRTC implementation in Python that shares no code with any other.

    python aiortc_call.py URL --say speech.wav [--turns 2] [--agent NAME] [--token T]

Says the file, waits for the reply and for its end, and says it again. Prints what it measured; the
exit status is 0 if every turn was answered by sound and the events of a turn arrived.
"""

import argparse
import asyncio
import fractions
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import av
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

RATE_HZ = 48_000
FRAME = RATE_HZ // 50
FRAME_S = 0.02
# Louder than comfort noise, quieter than any speech: 1 % of full scale.
SOUND_RMS = 328
# So much sound in a row is a reply; so much silence in a row is its end.
SOUND_FRAMES = 2
SILENCE_S = 0.8
CONNECT_TIMEOUT_S = 10
REPLY_TIMEOUT_S = 20
EXPECTED_EVENTS = {
    "bot-ready",
    "user-started-speaking",
    "user-stopped-speaking",
    "bot-started-speaking",
    "bot-stopped-speaking",
    "server-message:floor",
    "server-message:turn",
}


class Failed(Exception):
    """The call did not do what it should."""


class Microphone(MediaStreamTrack):
    """Plays frames of speech on an exact 20 ms clock, silence between them."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self._queue = []
        self._spoken = None
        self._sent = 0
        self._began = None

    async def recv(self):
        self._began = self._began or time.monotonic()
        await asyncio.sleep(max(0, self._began + self._sent * FRAME_S - time.monotonic()))
        samples = self._queue.pop(0) if self._queue else bytes(2 * FRAME)
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(samples)
        frame.sample_rate = RATE_HZ
        frame.pts = self._sent * FRAME
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        self._sent += 1
        if self._spoken and not self._queue:
            self._spoken.set_result(time.monotonic())
            self._spoken = None
        return frame

    def say(self, frames):
        """A future of the time at which the last frame of speech was sent."""
        self._queue.extend(frames)
        self._spoken = asyncio.get_running_loop().create_future()
        return self._spoken


class Loudspeaker:
    """Tells when sound begins and ends."""

    def __init__(self):
        self.sound_ms = 0
        self._loud = 0
        self._loud_at = 0
        self._begins = None

    async def listen(self, track):
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
        try:
            while True:
                for frame in resampler.resample(await track.recv()):
                    self._hear(rms(bytes(frame.planes[0])[: 2 * frame.samples]))
        except MediaStreamError:
            pass  # The call is over.

    def begins(self):
        """A future of the time at which sound began."""
        self._begins = asyncio.get_running_loop().create_future()
        return self._begins

    async def ends(self):
        """Waits for 0.8 s of silence, in which there may be no packets at all."""
        while time.monotonic() - self._loud_at < SILENCE_S:
            await asyncio.sleep(0.05)

    def _hear(self, level):
        if level <= SOUND_RMS:
            self._loud = 0
            return
        self._loud += 1
        self._loud_at = time.monotonic()
        self.sound_ms += 20
        if self._loud == SOUND_FRAMES and self._begins and not self._begins.done():
            self._begins.set_result(self._loud_at - SOUND_FRAMES * FRAME_S)


def rms(samples):
    values = memoryview(samples).cast("h")
    return (sum(value * value for value in values) / max(1, len(values))) ** 0.5


def speech_frames(path):
    """Speech without the silence around it, at 48 kHz, in frames of 20 ms."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    with av.open(path) as container:
        decoded = [*container.decode(audio=0), None]
    pcm = b"".join(
        bytes(part.planes[0])[: 2 * part.samples]
        for frame in decoded
        for part in resampler.resample(frame)
    )
    frames = [pcm[at : at + 2 * FRAME] for at in range(0, len(pcm) - 2 * FRAME, 2 * FRAME)]
    loud = [index for index, frame in enumerate(frames) if rms(frame) > SOUND_RMS]
    if not loud:
        raise Failed(f"{path} holds no speech")
    return frames[loud[0] : loud[-1] + 1]


def http(method, url, token, body=None):
    headers = {"content-type": "application/sdp"} if body else {}
    if token:
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=CONNECT_TIMEOUT_S) as response:
            return response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        raise Failed(f"{method} was refused: {error.code} {error.read().decode()}") from None


async def within(awaitable, timeout_s, what):
    try:
        return await asyncio.wait_for(awaitable, timeout_s)
    except asyncio.TimeoutError:
        raise Failed(f"{what}: nothing within {timeout_s} s") from None


def prepare(peer, loudspeaker, events):
    """A microphone, a data channel and listeners; the future is done once it is connected."""
    connected = asyncio.get_running_loop().create_future()
    microphone = Microphone()
    peer.addTrack(microphone)
    channel = peer.createDataChannel("chat")

    @channel.on("open")
    def _():
        data = {"version": "2.1.0"}
        ready = {"label": "rtvi-ai", "type": "client-ready", "id": "a1", "data": data}
        channel.send(json.dumps(ready))

    @channel.on("message")
    def _(text):
        message = json.loads(text)
        kind = message["type"]
        events.add(f"{kind}:{message['data']['type']}" if kind == "server-message" else kind)

    @peer.on("track")
    def _(track):
        asyncio.ensure_future(loudspeaker.listen(track))

    @peer.on("connectionstatechange")
    def _():
        if peer.connectionState == "connected" and not connected.done():
            connected.set_result(time.monotonic())

    return microphone, connected


async def call(options):
    speech = speech_frames(options.say)
    query = "?" + urllib.parse.urlencode({"agent": options.agent}) if options.agent else ""
    endpoint = urllib.parse.urljoin(options.url, "/v1/rtc" + query)
    peer, loudspeaker, events = RTCPeerConnection(), Loudspeaker(), set()
    microphone, connected = prepare(peer, loudspeaker, events)

    await peer.setLocalDescription(await peer.createOffer())
    offered = time.monotonic()
    offer = peer.localDescription.sdp.encode()
    headers, answer = await asyncio.to_thread(http, "POST", endpoint, options.token, offer)
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    at = await within(connected, CONNECT_TIMEOUT_S, "connecting")
    print(f"connect_ms: {1000 * (at - offered):.0f}", flush=True)

    # A greeting may come first; it is let finish.
    try:
        await asyncio.wait_for(loudspeaker.begins(), 1.5)
        await within(loudspeaker.ends(), REPLY_TIMEOUT_S, "the end of the greeting")
    except asyncio.TimeoutError:
        pass
    for turn in range(1, options.turns + 1):
        spoken = await microphone.say(speech)
        # What began earlier answered a pause within the speech, and was interrupted by the rest.
        loudspeaker.sound_ms = 0
        at = await within(loudspeaker.begins(), REPLY_TIMEOUT_S, f"the reply to turn {turn}")
        print(f"response_ms: {1000 * (at - spoken):.0f}", flush=True)
        await within(loudspeaker.ends(), REPLY_TIMEOUT_S, f"the end of the reply to turn {turn}")
        print(f"reply_sound_ms: {loudspeaker.sound_ms}", flush=True)
    location = urllib.parse.urljoin(endpoint, headers["location"])
    await asyncio.to_thread(http, "DELETE", location, options.token)
    await peer.close()
    print("events:", *sorted(events))
    if missing := EXPECTED_EVENTS - events:
        raise Failed(f"these events did not arrive: {' '.join(sorted(missing))}")


def main():
    parser = argparse.ArgumentParser(description="A call by aiortc.")
    parser.add_argument("url")
    parser.add_argument("--say", required=True, metavar="WAV")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--agent")
    parser.add_argument("--token")
    try:
        asyncio.run(call(parser.parse_args()))
    except (Failed, OSError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    print("ok: aiortc held a conversation")
    return 0


if __name__ == "__main__":
    sys.exit(main())
