"""Attacks on the network, from the socket module down to kinds of sockets that nobody uses."""

from .attack import Attack

CONNECT = """
    import struct
    fd = call("socket", 2, 1, 0)
    call("connect", fd, struct.pack("<H", 2) + struct.pack(">HI", TCP, 0x7F000001) + bytes(8), 16)
    return False
"""

ATTACKS = (
    Attack(
        "socket_module",
        "contact",
        """
        import socket
        socket.socket().connect(("127.0.0.1", TCP))
        return False
        """,
    ),
    Attack(
        "socket_module_that_is_loaded",
        "contact",
        """
        import sys
        sys.modules["socket"].socket(type=2).sendto(b"x", ("127.0.0.1", UDP))
        return False
        """,
    ),
    Attack("connect_by_tcp", "contact", CONNECT),
    Attack(
        "connect_by_tcp6",
        "contact",
        """
        import struct
        fd = call("socket", 10, 1, 0)
        place = struct.pack("<H", 10) + struct.pack(">HI", TCP6, 0) + bytes(15) + b"\\1" + bytes(4)
        call("connect", fd, place, 28)
        return False
        """,
        needs=("ipv6",),
    ),
    Attack(
        "tcp_without_connect",
        "contact",
        """
        import struct
        place = struct.pack("<H", 2) + struct.pack(">HI", TCP, 0x7F000001) + bytes(8)
        call("sendto", call("socket", 2, 1, 0), b"x", 1, 0x20000000, place, 16)
        return False
        """,
    ),
    Attack(
        "send_by_udp",
        "contact",
        """
        import struct
        place = struct.pack("<H", 2) + struct.pack(">HI", UDP, 0x7F000001) + bytes(8)
        call("sendto", call("socket", 2, 2, 0), b"x", 1, 0, place, 16)
        return False
        """,
    ),
    Attack(
        "connect_to_a_unix_socket",
        "contact",
        """
        place = b"\\1\\0" + path("stream") + b"\\0"
        call("connect", call("socket", 1, 1, 0), place, len(place))
        return False
        """,
    ),
    Attack(
        "send_to_a_unix_socket",
        "contact",
        """
        place = b"\\1\\0" + path("datagram") + b"\\0"
        call("sendto", call("socket", 1, 2, 0), b"x", 1, 0, place, len(place))
        return False
        """,
    ),
    Attack(
        "connect_to_an_abstract_socket",
        "contact",
        """
        place = b"\\1\\0" + ABSTRACT
        call("connect", call("socket", 1, 1, 0), place, len(place))
        return False
        """,
    ),
    Attack(
        "urllib",
        "contact",
        """
        import urllib.request
        urllib.request.urlopen(f"http://127.0.0.1:{TCP}", timeout=0.1)
        return False
        """,
    ),
    Attack(
        "http_client",
        "contact",
        """
        import http.client
        http.client.HTTPConnection("127.0.0.1", TCP, timeout=0.1).request("GET", "/")
        return False
        """,
    ),
    Attack(
        "asyncio",
        "contact",
        """
        import asyncio
        asyncio.run(asyncio.open_connection("127.0.0.1", TCP))
        return False
        """,
    ),
    Attack(
        "np_DataSource_of_a_url",
        "contact",
        """
        import socket
        socket.setdefaulttimeout(0.1)
        np.DataSource(WORLD + "/folder").open(f"http://127.0.0.1:{TCP}/x.txt")
        return False
        """,
    ),
    Attack(
        "cv2_VideoCapture_of_a_url",
        "contact",
        """
        cv2.VideoCapture(f"http://127.0.0.1:{TCP}", cv2.CAP_FFMPEG, [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 100])
        return False
        """,
    ),
    Attack(
        "log_by_network",
        "contact",
        """
        import logging.handlers
        logging.handlers.DatagramHandler("127.0.0.1", UDP).send(b"x")
        return False
        """,
    ),
    Attack(
        "listen",
        "descriptor",
        """
        call("listen", call("socket", 2, 1, 0), 1)
        return False
        """,
    ),
    Attack("pair_of_sockets", "descriptor", "return call('socketpair', 1, 1, 0, (ctypes.c_int * 2)()) < 0"),
    Attack("socket_of_packets", "descriptor", "return call('socket', 17, 3, 0) < 0", needs=("net_raw",)),
    Attack("raw_socket", "descriptor", "return call('socket', 2, 3, 1) < 0", needs=("net_raw",)),
    Attack("netlink_socket", "descriptor", "return call('socket', 16, 3, 0) < 0"),
    Attack(
        "addresses_of_the_machine",
        "answer",
        """
        libc.getifaddrs.restype = ctypes.c_int
        return libc.getifaddrs(ctypes.byref(ctypes.c_void_p())) == 0
        """,
    ),
    Attack(
        "asks_for_a_name",
        "descriptor",
        """
        libc.sethostent(1)
        libc.openlog(b"x", 8, 0)
        return False
        """,
    ),
)
