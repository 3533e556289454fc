#!/usr/bin/env python3
"""One end of a tunnel through a WebSocket, with PyPI's `websockets`: what no package gives is the ends of chisel and wstunnel.

websocket-bridge.py server ADDRESS PORT TO-ADDRESS TO-PORT [SUBPROTOCOL] [OPTION...]
websocket-bridge.py client URL LISTEN-PORT [SUBPROTOCOL,...] [OPTION...]

Options: --nodeflate (offer and accept no compression), --base64 (write octets as base64 in text messages).
The client prints `ready` once it listens on 127.0.0.1.
"""

import asyncio
import base64
import sys

import websockets


async def to_socket(socket, writer, text):
    async for message in socket:
        writer.write(base64.b64decode(message) if text else message)
        await writer.drain()
    writer.close()


async def to_messages(reader, socket, text):
    while octets := await reader.read(4096):
        await socket.send(base64.b64encode(octets).decode() if text else octets)
    await socket.close()


async def both(socket, reader, writer, text):
    try:
        await asyncio.gather(to_socket(socket, writer, text), to_messages(reader, socket, text))
    except (ConnectionError, websockets.ConnectionClosed):
        pass


async def main():
    words = sys.argv[1:]
    options = [word for word in words if word.startswith("--")]
    words = [word for word in words if word not in options]
    compression = None if "--nodeflate" in options else "deflate"
    text = "--base64" in options
    if words[0] == "server":
        address, port, to_address, to_port = words[1], int(words[2]), words[3], int(words[4])

        async def serve(socket):
            reader, writer = await asyncio.open_connection(to_address, to_port)
            await both(socket, reader, writer, text)

        await websockets.serve(serve, address, port, subprotocols=words[5:] or None, compression=compression)
    else:
        url, port = words[1], int(words[2])
        offered = words[3].split(",") if words[3:] else None

        async def connect(reader, writer):
            async with websockets.connect(url, subprotocols=offered, compression=compression) as socket:
                await both(socket, reader, writer, text)

        await asyncio.start_server(connect, "127.0.0.1", port)
        print("ready", flush=True)
    await asyncio.Future()


asyncio.run(main())
