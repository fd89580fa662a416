#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace lockstep::data {

/// A data set of an HDF5 file. What stands before each slash of the name is a group.
struct NamedArray {
  std::string name;            // "parameters/classifier.weight"
  std::vector<int64_t> shape;  // row-major
  std::span<const float> values;
};

/// A new HDF5 file of float32 data sets, with integers as attributes of its root. No times are stored: equal content
/// gives equal bytes. Throws DataError naming the path, also if something is there already or the disk is full.
void write_hdf5_arrays(const std::filesystem::path& path, std::span<const NamedArray> arrays,
                       const std::map<std::string, int64_t>& attributes);

}  // namespace lockstep::data
