// A tar archive, gzip-compressed or plain: refused with a DataError, or files with safe names. The mutator mends the
// headers' checksums, which no mutation would hit.
#include <algorithm>
#include <cstring>

#include "data/error.h"
#include "data/tar_reader.h"
#include "memory_file.h"
#include "target.h"

using namespace lockstep;

namespace {

constexpr size_t kBlock = 512, kSumAt = 148, kSumSize = 8;
constexpr int64_t kMostRead = 1 << 16;

void mend(uint8_t* block) {
  std::memset(block + kSumAt, ' ', kSumSize);
  unsigned sum = 0;
  for (size_t i = 0; i < kBlock; ++i)
    sum += block[i];
  std::snprintf(reinterpret_cast<char*>(block + kSumAt), kSumSize, "%06o", sum);
}

bool is_safe(const std::string& path) {
  return !path.empty() && path.front() != '/' && ("/" + path + "/").find("/../") == std::string::npos &&
         path.find('\0') == std::string::npos;
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* bytes, size_t size, size_t most, unsigned seed) {
  size = LLVMFuzzerMutate(bytes, size, most);
  const bool is_plain = size < 2 || bytes[0] != 0x1F || bytes[1] != 0x8B;
  for (size_t at = 0; is_plain && seed % 8 != 0 && at + kBlock <= size; at += kBlock)
    if (std::any_of(bytes + at, bytes + at + kBlock, [](uint8_t byte) { return byte != 0; })) mend(bytes + at);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static fuzz::MemoryFile file;
  const std::string& path = file.with(bytes, size);
  try {
    data::TarReader archive(path);
    while (const auto entry = archive.next()) {
      fuzz::require(is_safe(entry->path), "names lead nowhere else", entry->path);
      if (entry->size <= kMostRead)
        fuzz::require(std::ssize(archive.read(kMostRead)) == entry->size, "the size is the entry's");
    }
  } catch (const data::DataError& error) {
    fuzz::require(std::string_view(error.what()).starts_with(path), "the error names the file", error.what());
  }
  return 0;
}
