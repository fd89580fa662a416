#include "launcher/errors.h"

#include <new>
#include <system_error>

#include "data/error.h"
#include "dist/error.h"
#include "launcher/job.h"
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

}  // namespace

Problem problem_of(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error))
    return {
        kFailure,
        "out of memory; a smaller --per_device_train_batch_size (or more --gradient_accumulation_steps) needs less"};
  return {exit_code_of(error), error.what()};
}

}  // namespace lockstep
