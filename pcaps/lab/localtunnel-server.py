"""A stand-in for localtunnel.me: gives a tunnel, then asks through it for one page, as a visitor's request would.

localtunnel-server.py CERTIFICATE KEY TUNNEL-PORT
"""

import http.server
import json
import socket
import ssl
import sys
import threading

certificate, key, port = sys.argv[1], sys.argv[2], int(sys.argv[3])


def visitor(connection):
    connection.sendall(b"GET / HTTP/1.1\r\nHost: smart-cat-12.loca.lt\r\nUser-Agent: visitor\r\nConnection: close\r\n\r\n")
    while connection.recv(4096):
        pass
    connection.close()


def tunnel():
    """Two visitors; the connections that the client opens in their place stay idle."""
    listener = socket.create_server(("", port))
    connections = [listener.accept()[0] for _ in range(2)]
    for connection in connections:
        threading.Thread(target=visitor, args=[connection], daemon=True).start()
    idle = []
    while True:
        idle.append(listener.accept()[0])


class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"id": "smart-cat-12", "port": port, "max_conn_count": 2, "url": "https://smart-cat-12.loca.lt"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


threading.Thread(target=tunnel, daemon=True).start()
server = http.server.ThreadingHTTPServer(("", 443), Api)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
