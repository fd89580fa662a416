#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/distilbert.h"
#include "model/safetensors.h"

namespace lockstep::model {

/// What model_reference.py wrote.
inline const std::filesystem::path kReference = LOCKSTEP_MODEL_REFERENCE;
inline bool has_reference() {
  return std::filesystem::exists(kReference / "complete");
}

template <class T>
std::vector<T> whole_numbers(const SafetensorsFile& file, const std::string& name) {
  const std::vector<float> values = file.floats(name);
  return {values.begin(), values.end()};
}

/// Packed examples that own their memory.
struct ReferenceBatch {
  std::vector<int32_t> ids, offsets, labels;
  std::vector<int64_t> example_ids;

  ReferenceBatch(const SafetensorsFile& file, const std::string& prefix)
      : ids(whole_numbers<int32_t>(file, prefix + "ids")),
        offsets(whole_numbers<int32_t>(file, prefix + "offsets")),
        labels(whole_numbers<int32_t>(file, prefix + "labels")) {
    for (size_t i = 0; i < labels.size(); ++i)
      example_ids.push_back(static_cast<int64_t>(i));
  }
  /// Examples [begin, end).
  ReferenceBatch slice(size_t begin, size_t end) const {
    ReferenceBatch part = *this;
    part.ids.assign(ids.begin() + offsets[begin], ids.begin() + offsets[end]);
    part.offsets.assign(offsets.begin() + begin, offsets.begin() + end + 1);
    for (int32_t& offset : part.offsets)
      offset -= offsets[begin];
    part.labels.assign(labels.begin() + begin, labels.begin() + end);
    part.example_ids.assign(example_ids.begin() + begin, example_ids.begin() + end);
    return part;
  }
  PackedInput input() const { return {ids, offsets, labels, example_ids}; }
};

}  // namespace lockstep::model
