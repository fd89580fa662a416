// lockstep-export: the command that needs HDF5, but neither LibTorch nor MPI. `lockstep` (main.cc) starts it.
#include "launcher/export_command.h"
#include "launcher/light_command.h"

int main(int argc, char** argv) {
  return lockstep::run_light(*lockstep::find_command("export"), lockstep::export_command, {argv + 2, argv + argc});
}
