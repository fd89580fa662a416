#pragma once

#include <stdexcept>
#include <string>

namespace lockstep::data {

/// The input itself is damaged or unusable: a truncated archive, a shard whose hash differs, one class only.
/// The message names the file, what was found, what was expected and the remedy. Process exit code 4.
class DataError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Parts that are each sound but do not fit each other: a data set made with another vocabulary, a column that the
/// file does not have, tokenizer options that are not supported. Process exit code 3.
class ContractError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace lockstep::data
