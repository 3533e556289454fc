#!/usr/bin/env python3
"""The SSH inside chisel, with PyPI's `paramiko`: chisel's identification strings leave out the version of SSH.

chisel-ssh.py server PORT | client PORT
"""

import socket
import sys
import threading

import paramiko


class Transport(paramiko.Transport):
    def _check_banner(self):
        self.remote_version = self.packetizer.readline(15)


class Server(paramiko.ServerInterface):
    def check_auth_password(self, username, password):
        return paramiko.AUTH_SUCCESSFUL

    def get_allowed_auths(self, username):
        return "password"

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED


role, port = sys.argv[1], int(sys.argv[2])
if role == "server":
    listener = socket.create_server(("127.0.0.1", port))
    transport = Transport(listener.accept()[0])
    transport.add_server_key(paramiko.RSAKey.generate(2048))
    transport.local_version = "SSH-chisel-v3-server"
    transport.start_server(server=Server())
    threading.Event().wait(20)
else:
    transport = Transport(socket.create_connection(("127.0.0.1", port)))
    transport.local_version = "SSH-chisel-v3-client"
    transport.start_client(timeout=10)
    transport.auth_password("user", "pass")
    transport.open_session().close()
    transport.close()
