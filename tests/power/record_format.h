#pragma once

#include <cstdint>

namespace lockstep::tests {

/// In the recorder's file, before the texts `path`, `other` and `bytes` of an operation.
struct RecordHead {
  uint32_t kind;
  uint32_t path_size;
  uint32_t other_size;
  uint32_t bytes_size;
  uint64_t file;
  uint64_t number;
};

}  // namespace lockstep::tests
