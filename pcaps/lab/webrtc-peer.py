"""One end of a WebRTC data channel. The other end runs elsewhere; signals go through two files.

webrtc-peer.py offer|answer SIGNAL-PREFIX [TURN-URL USER PASSWORD]
"""

import asyncio
import json
import os
import sys

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription


def put(path, description):
    with open(path + ".part", "w") as file:
        json.dump({"sdp": description.sdp, "type": description.type}, file)
    os.rename(path + ".part", path)


async def get(path):
    while not os.path.exists(path):
        await asyncio.sleep(0.05)
    return RTCSessionDescription(**json.load(open(path)))


async def main(role, prefix, *relay):
    servers = [RTCIceServer(urls=relay[0], username=relay[1], credential=relay[2])] if relay else []
    peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
    done = asyncio.Event()
    if role == "offer":
        channel = peer.createDataChannel("lab")
        channel.on("open", lambda: channel.send("hello"))
        channel.on("message", lambda _: done.set())
        await peer.setLocalDescription(await peer.createOffer())
        put(prefix + ".offer", peer.localDescription)
        await peer.setRemoteDescription(await get(prefix + ".answer"))
    else:
        @peer.on("datachannel")
        def channel_opened(channel):
            channel.on("message", channel.send)

        await peer.setRemoteDescription(await get(prefix + ".offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        put(prefix + ".answer", peer.localDescription)
    await asyncio.wait_for(done.wait(), 18)
    await asyncio.sleep(0.3)
    await peer.close()


asyncio.run(main(*sys.argv[1:]))
