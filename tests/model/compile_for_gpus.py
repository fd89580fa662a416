"""Compiles the code in model/eight_draws.h as LibTorch does for a GPU: by NVRTC, which needs no GPU. Exit code 77: no NVRTC here.

compile_for_gpus.py TEXT: prints NVRTC's log, and fails where it does."""

import ctypes
import pathlib
import sys
import sysconfig


def nvrtc():
    folder = pathlib.Path(sysconfig.get_paths()["purelib"]) / "nvidia"
    found = sorted(folder.glob("**/libnvrtc.so.*"))
    if not found:
        print(f"skipped: no libnvrtc below {folder}")
        sys.exit(77)
    return ctypes.CDLL(str(found[0]))


def compile_program(library, text):
    program = ctypes.c_void_p()
    library.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"eight_draws", 0, None, None)
    options = (ctypes.c_char_p * 3)(b"--std=c++17", b"--gpu-architecture=sm_80", b"-default-device")
    code = library.nvrtcCompileProgram(program, len(options), options)
    size = ctypes.c_size_t()
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    print(log.value.decode())
    return code


if __name__ == "__main__":
    KERNEL = """
    typedef long long int int64_t;
    %s
    extern "C" __global__ void run(int64_t* x) { *x = eight_draws<int64_t>(x[0], x[1], x[2], x[3], x[4], x[5]); }
    """
    sys.exit(compile_program(nvrtc(), KERNEL % sys.argv[1]))
