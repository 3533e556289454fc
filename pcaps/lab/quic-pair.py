"""Both ends of a QUIC connection, by aioquic, for names and ALPNs of programs we cannot run, and for what QUIC allows.

quic-pair.py server PORT ALPN CERTIFICATE KEY [--retry]
quic-pair.py client ADDRESS PORT ALPN SERVER-NAME [--version 2] [--local-port N] [--times N]

ALPN may be a list with commas. `--times` opens so many connections one after the other, from the same port if one is given.
"""

import argparse
import asyncio
import ssl

from aioquic.asyncio import connect, serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicProtocolVersion

VERSIONS = {1: QuicProtocolVersion.VERSION_1, 2: QuicProtocolVersion.VERSION_2}


async def server(given):
    configuration = QuicConfiguration(is_client=False, alpn_protocols=given.alpn.split(","))
    configuration.load_cert_chain(given.certificate, given.key)
    await serve("0.0.0.0", given.port, configuration=configuration, retry=given.retry)
    print("ready", flush=True)
    await asyncio.Event().wait()


async def client(given):
    for _ in range(given.times):
        configuration = QuicConfiguration(
            is_client=True,
            alpn_protocols=given.alpn.split(","),
            server_name=given.name,
            verify_mode=ssl.CERT_NONE,
            original_version=VERSIONS[given.version],
            supported_versions=[VERSIONS[given.version]],
        )
        async with connect(given.address, given.port, configuration=configuration, local_port=given.local_port) as connection:
            await connection.ping()


parser = argparse.ArgumentParser()
ends = parser.add_subparsers(required=True)
end = ends.add_parser("server")
end.set_defaults(run=server)
end.add_argument("port", type=int)
end.add_argument("alpn")
end.add_argument("certificate")
end.add_argument("key")
end.add_argument("--retry", action="store_true")
end = ends.add_parser("client")
end.set_defaults(run=client)
end.add_argument("address")
end.add_argument("port", type=int)
end.add_argument("alpn")
end.add_argument("name")
end.add_argument("--version", type=int, default=1)
end.add_argument("--local-port", type=int, default=0)
end.add_argument("--times", type=int, default=1)
given = parser.parse_args()
asyncio.run(given.run(given))
