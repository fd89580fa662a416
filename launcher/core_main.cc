// lockstep-core: the commands that need LibTorch, MPI and HDF5. `lockstep` (main.cc) starts it.
#include "launcher/commands.h"

int main(int argc, char** argv) {
  return lockstep::run_command({argv + 1, argv + argc});
}
