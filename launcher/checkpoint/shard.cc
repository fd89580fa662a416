#include "launcher/checkpoint/shard.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "launcher/checkpoint/checkpoint_error.h"
#include "launcher/failpoint.h"
#include "launcher/format.h"
#include "model/error.h"
#include "model/safetensors.h"

namespace lockstep {

namespace {

constexpr const char* kKinds[] = {"parameters/", "m/", "v/"};

std::string_view bytes_of(std::span<const float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

/// Without a jump in its loop, so that the compiler makes it one of vectors.
bool all_finite(std::span<const float> values) {
  constexpr uint32_t kExponent = 0x7f800000;  // all of its bits are set in NaN and infinity, and in nothing else
  uint32_t others = 0;
  for (const float value : values)
    others |= (std::bit_cast<uint32_t>(value) & kExponent) == kExponent ? 1 : 0;
  return others == 0;
}

/// Part by part, each in the processor's cache from its check to its hash.
void write_finite(HashedFile& file, std::span<const float> values) {
  constexpr size_t kPart = size_t{1} << 16;
  for (size_t begin = 0; begin < values.size(); begin += kPart) {
    const auto part = values.subspan(begin, std::min(kPart, values.size() - begin));
    if (!all_finite(part)) throw CheckpointError("the state holds NaN or infinity");
    file.write(bytes_of(part));
  }
}

/// The length and the header, which spaces fill up to a multiple of 8 bytes.
std::string head_of(const std::vector<Slice>& slices) {
  nlohmann::ordered_json header = {{"__metadata__", {{"format", "pt"}}}};
  uint64_t offset = 0;
  for (const char* kind : kKinds)
    for (const Slice& slice : slices) {
      const uint64_t end = offset + sizeof(float) * static_cast<uint64_t>(slice.size());
      header[kind + slice.tensor] = {{"dtype", "F32"}, {"shape", {slice.size()}}, {"data_offsets", {offset, end}}};
      offset = end;
    }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + text;
}

void copy_tensor(const model::SafetensorsFile& file, const std::string& name, std::span<float> out) {
  const auto found = file.tensors().find(name);
  if (found == file.tensors().end()) throw CheckpointError("has no tensor \"" + name + "\"");
  const model::TensorView& tensor = found->second;
  if (tensor.dtype != "F32" || tensor.bytes.size() != out.size_bytes())
    throw CheckpointError("tensor \"" + name + "\" is not " + std::to_string(out.size()) + " floats");
  std::memcpy(out.data(), tensor.bytes.data(), out.size_bytes());
}

int64_t offset_of(const std::string& name, const std::vector<TensorShape>& tensors) {
  int64_t offset = 0;
  for (const TensorShape& tensor : tensors) {
    if (tensor.name == name) return offset;
    offset += tensor.size();
  }
  throw CheckpointError("a slice of the unknown tensor " + name);
}

}  // namespace

void FlatState::resize(int64_t elements) {
  for (std::vector<float>* values : {&parameters, &m, &v})
    values->resize(static_cast<size_t>(elements));
}

std::string shard_name(int rank, int world_size) {
  return formatted("shard-%05d-of-%05d.safetensors", rank, world_size);
}

FileReceipt write_shard(const std::filesystem::path& path, const FlatState& part, const std::vector<Slice>& slices,
                        WrittenBytes* written) {
  HashedFile file(path, written);
  failpoint("shard-open");
  file.write(head_of(slices));
  for (const auto* values : {&part.parameters, &part.m, &part.v}) {
    write_finite(file, *values);
    failpoint("shard-middle");
  }
  FileReceipt receipt = file.finish();
  failpoint("shard-flushed");
  return receipt;
}

void read_shard(const std::filesystem::path& folder, const ShardEntry& shard, const std::vector<TensorShape>& tensors,
                FlatState& state, const std::function<void()>& on_progress) {
  const std::filesystem::path path = folder / shard.file.name;
  try {
    const auto file = model::SafetensorsFile::open(path);
    for (const Slice& slice : shard.slices) {
      const auto begin = static_cast<size_t>(offset_of(slice.tensor, tensors) + slice.begin);
      const auto part = [&](std::vector<float>& whole) {
        return std::span(whole).subspan(begin, static_cast<size_t>(slice.size()));
      };
      copy_tensor(file, kKinds[0] + slice.tensor, part(state.parameters));
      copy_tensor(file, kKinds[1] + slice.tensor, part(state.m));
      copy_tensor(file, kKinds[2] + slice.tensor, part(state.v));
      if (on_progress) on_progress();
    }
  } catch (const model::ModelFileError& error) {
    throw CheckpointError(error.what());
  } catch (const CheckpointError& error) {
    throw CheckpointError(path.string() + ": " + error.what());
  }
}

}  // namespace lockstep
