#pragma once

#include <stdexcept>

namespace lockstep::model {

/// A model file is damaged: a safetensors header that lies, a tensor cut short, JSON that does not parse. Exit code 4.
class ModelFileError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A sound file that this program cannot use: another architecture, an activation that is not supported, a tensor of
/// another shape, more labels than the classifier has. Exit code 3.
class ModelContractError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace lockstep::model
