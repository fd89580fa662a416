#include "launcher/errors.h"

#include <algorithm>
#include <new>
#include <system_error>

#include "data/error.h"
#include "dist/error.h"
#include "launcher/job/agreed_failure.h"
#include "model/error.h"

namespace lockstep {

namespace {

int exit_code_of(const std::exception& error) {
  if (const auto* agreed = dynamic_cast<const AgreedFailure*>(&error)) return agreed->failure().exit_code;
  if (const auto* own = dynamic_cast<const ProgramError*>(&error)) return own->exit_code();
  if (dynamic_cast<const data::ContractError*>(&error)) return kContract;
  if (dynamic_cast<const model::ModelContractError*>(&error)) return kContract;
  if (dynamic_cast<const data::DataError*>(&error)) return kData;
  if (dynamic_cast<const model::ModelFileError*>(&error)) return kData;
  if (dynamic_cast<const dist::CommunicationError*>(&error)) return kPeerLost;
  if (dynamic_cast<const std::system_error*>(&error)) return kStorage;
  return kFailure;
}

/// LibTorch's errors go on with a call stack.
std::string words_of(const std::exception& error) {
  const std::string words = error.what();
  return words.substr(0, std::min(words.find("\nframe #"), words.find("\nException raised from ")));
}

/// LibTorch has errors of its own for it.
bool is_out_of_memory(const std::exception& error) {
  const std::string words = error.what();
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr || words.find("can't allocate memory") != words.npos ||
         words.find("CUDA out of memory") != words.npos;
}

}  // namespace

Problem problem_of(const std::exception& error) {
  if (is_out_of_memory(error)) return {kFailure, "out of memory"};
  return {exit_code_of(error), words_of(error)};
}

Problem problem_in_training(const std::exception& error) {
  Problem problem = problem_of(error);
  if (is_out_of_memory(error))
    problem.message +=
        "; more --gradient_accumulation_steps (without --global_batch_size: a smaller --per_device_train_batch_size) "
        "or a smaller --max_seq_length need less";
  return problem;
}

}  // namespace lockstep
