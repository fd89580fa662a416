#include "launcher/commands.h"

#include <cstdio>
#include <map>
#include <string_view>

#include "data/hdf5_version.h"
#include "dist/mpi_environment.h"
#include "launcher/cli/command_list.h"
#include "launcher/cli/run_command.h"
#include "launcher/errors.h"
#include "launcher/job/log.h"
#include "launcher/launch/machine_facts.h"
#include "model/compute.h"

namespace lockstep {

namespace {

int print_versions(const std::vector<std::string>&) {
  const std::string text = std::string("lockstep " LOCKSTEP_VERSION) +
                           (kIsBuiltForGpus ? ", for GPUs and CPUs" : ", for CPUs") + "\nLibTorch " +
                           model::libtorch_version() + "\n" + dist::MpiEnvironment::library_version() + "\nHDF5 " +
                           data::hdf5_version() + "\n";
  std::fputs(text.c_str(), stdout);
  return kDone;
}

int dispatch(const std::vector<std::string>& arguments) {
  static const std::map<std::string_view, int (*)(const std::vector<std::string>&)> runs = {
      {"prepare", prepare_command},
      {"train", train_command},
      {"evaluate", evaluate_command},
      {"predict", predict_command},
      {"--version", print_versions}};
  const auto run = runs.find(arguments.empty() ? "" : arguments.front());
  if (run == runs.end()) throw UsageError("lockstep-core is a part of lockstep; start that");
  if (const CommandFacts* command = find_command(run->first)) refuse_ranks(*command);
  return run->second({arguments.begin() + 1, arguments.end()});
}

}  // namespace

int run_command(const std::vector<std::string>& arguments) {
  start_log(0, 1);
  try {
    return run_or_help(dispatch, arguments);
  } catch (const std::exception& error) {
    const Problem problem = problem_of(error);
    print_error(problem.message);
    return problem.exit_code;
  }
}

}  // namespace lockstep
