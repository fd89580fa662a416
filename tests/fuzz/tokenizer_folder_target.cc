// The JSON files of a tokenizer's folder. The first byte chooses which one the input is; the others are in order.
#include <stdlib.h>

#include <fstream>

#include "data/error.h"
#include "data/tokenizer_folder.h"
#include "target.h"

using namespace lockstep;

namespace {

constexpr const char* kNames[] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                  "added_tokens.json"};

/// A folder in memory that ends with the process.
class Folder {
 public:
  Folder() {
    char name[] = "/dev/shm/lockstep-fuzz-XXXXXX";
    if (::mkdtemp(name) == nullptr) std::abort();
    path_ = name;
    std::ofstream(path_ / "vocab.txt") << "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n";
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const Folder folder;
  if (size == 0) return 0;
  const auto file = folder.path() / kNames[bytes[0] & 3U];
  std::ofstream(file) << fuzz::text_of(bytes + 1, size - 1);
  try {
    fuzz::require(data::read_tokenizer_folder(folder.path()).vocabulary.size() == 6, "the vocabulary is vocab.txt's");
  } catch (const data::DataError& error) {
    fuzz::require(std::string_view(error.what()).starts_with(folder.path().string()), "the error names the file",
                  error.what());
  } catch (const data::ContractError& error) {
    fuzz::require(std::string_view(error.what()).starts_with(folder.path().string()), "the error names the file",
                  error.what());
  }
  std::filesystem::remove(file);
  return 0;
}
