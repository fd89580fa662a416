"""host_init.py DOOR: the first process of a host. Looks after orphans, and runs for on_host.py, which connects to the socket DOOR, a command
as a child; the command ends (SIGHUP) if its caller goes first."""

import array
import json
import os
import select
import signal
import socket
import subprocess
import sys

OF_A_LOGIN = {"HOME": os.environ.get("HOME", "/"), "USER": "root", "LOGNAME": "root", "SHELL": "/bin/bash", "LANG": "C.UTF-8",
              "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "TMPDIR": os.environ["TMPDIR"]}


def bury_orphans(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def receive(caller):
    """The request, and the caller's standard input, output and error."""
    descriptors = array.array("i")
    text, ancillary, _, _ = caller.recvmsg(1 << 20, socket.CMSG_SPACE(3 * descriptors.itemsize))
    for _, _, data in ancillary:
        descriptors.frombytes(data)
    while not text.endswith(b"\n"):
        text += caller.recv(1 << 20)
    return json.loads(text), descriptors


def serve(caller):
    request, (stdin, stdout, stderr) = receive(caller)
    environment = request["environment"] or OF_A_LOGIN
    folder = request["folder"] or OF_A_LOGIN["HOME"]
    child = subprocess.Popen(request["command"], env=environment, cwd=folder, stdin=stdin, stdout=stdout, stderr=stderr)
    for descriptor in (stdin, stdout, stderr):
        os.close(descriptor)
    ended = os.pidfd_open(child.pid)
    ready, _, _ = select.select([ended, caller], [], [])
    if ended not in ready:
        child.send_signal(signal.SIGHUP)
        return
    code = child.wait()
    caller.sendall(str(code if code >= 0 else 128 - code).encode())


def main():
    door = sys.argv[1]
    if os.path.exists(door):
        os.remove(door)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(door + ".new")
    listener.listen(16)
    os.rename(door + ".new", door)
    signal.signal(signal.SIGCHLD, bury_orphans)
    while True:
        caller, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            serve(caller)
            os._exit(0)
        caller.close()


main()
