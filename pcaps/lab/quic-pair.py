"""Both ends of a QUIC connection, by aioquic, for names and ALPNs of programs we cannot run.

quic-pair.py server PORT ALPN CERTIFICATE KEY
quic-pair.py client ADDRESS PORT ALPN SERVER-NAME
"""

import asyncio
import ssl
import sys

from aioquic.asyncio import connect, serve
from aioquic.quic.configuration import QuicConfiguration


async def server(port, alpn, certificate, key):
    configuration = QuicConfiguration(is_client=False, alpn_protocols=[alpn])
    configuration.load_cert_chain(certificate, key)
    await serve("0.0.0.0", int(port), configuration=configuration)
    print("ready", flush=True)
    await asyncio.Event().wait()


async def client(address, port, alpn, name):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=[alpn], server_name=name, verify_mode=ssl.CERT_NONE)
    async with connect(address, int(port), configuration=configuration, local_port=0) as connection:
        await connection.ping()


asyncio.run({"server": server, "client": client}[sys.argv[1]](*sys.argv[2:]))
