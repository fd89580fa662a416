#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "model/safetensors.h"

namespace lockstep::model {

void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors) {
  constexpr size_t kAlignment = 8;  // of the data, by spaces after the header
  nlohmann::ordered_json header = {{"__metadata__", {{"format", "pt"}}}};
  uint64_t offset = 0;
  for (const TensorToWrite& tensor : tensors) {
    const uint64_t end = offset + tensor.values.size_bytes();
    header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  const uint64_t length = text.size();

  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(&length), sizeof(length));
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  for (const TensorToWrite& tensor : tensors)
    file.write(reinterpret_cast<const char*>(tensor.values.data()),
               static_cast<std::streamsize>(tensor.values.size_bytes()));
  file.close();
  if (!file)
    throw std::system_error(errno != 0 ? errno : EIO, std::generic_category(), path.string() + ": cannot be written");
}

}  // namespace lockstep::model
