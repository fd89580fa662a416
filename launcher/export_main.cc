// lockstep-export: the commands that need HDF5, but neither LibTorch nor MPI. `lockstep` (main.cc) starts it.
#include <string_view>

#include "launcher/cli/run_command.h"
#include "launcher/export_command.h"
#include "launcher/plan/plan_command.h"

int main(int argc, char** argv) {
  const bool plans = argc > 1 && std::string_view(argv[1]) == "plan";
  return lockstep::run_light(plans ? lockstep::plan_command : lockstep::export_command, {argv + 2, argv + argc});
}
