#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lockstep::model {

struct TensorView {
  std::string dtype;  // "F32", "F16", "BF16", "I64", ... as in the header
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;  // into the mapped file
};

/// The tensors of a safetensors file's bytes, which must outlive them. Throws ModelFileError as
/// SafetensorsFile::open().
std::map<std::string, TensorView> parse_safetensors(std::span<const std::byte> file, const std::string& where);

/// A safetensors file (8-byte little-endian header length, JSON header, contiguous data), mapped read-only. Every size
/// and offset of the header is checked against the file before anything is read: ranges in order, without gap or
/// overlap.
class SafetensorsFile {
 public:
  /// Throws ModelFileError naming the file, the tensor and what is wrong.
  static SafetensorsFile open(const std::filesystem::path& path);
  ~SafetensorsFile();
  SafetensorsFile(SafetensorsFile&&) noexcept;

  const std::map<std::string, TensorView>& tensors() const;
  /// F32, F16 and BF16 tensors as floats. Throws ModelContractError for other types or if there is no such tensor.
  std::vector<float> floats(const std::string& name) const;

 private:
  SafetensorsFile();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct TensorToWrite {
  std::string name;
  std::vector<int64_t> shape;
  std::span<const float> values;
};

/// F32 tensors with metadata {"format": "pt"}. Throws std::system_error naming the path.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors);

}  // namespace lockstep::model
