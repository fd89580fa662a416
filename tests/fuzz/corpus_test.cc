// The inputs that fuzzing has kept (corpus/TARGET.txt), once more: through the ordinary build and its sanitizers, by
// every `./check`. A broken promise ends the program with its words, and the test's name tells the target.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "tests/fuzz/target.h"
#include "tests/support/process.h"

// The targets' one function, by the names that CMakeLists.txt gives it.
#define TARGET(name) extern "C" int fuzz_##name(const uint8_t* bytes, size_t size);
#include "corpus_targets.inc"
#undef TARGET

/// For the targets' own mutators, which nobody calls here.
size_t LLVMFuzzerMutate(uint8_t*, size_t size, size_t) {  // NOLINT(readability-identifier-naming)
  return size;
}

namespace lockstep {
namespace {

struct Target {
  const char* name;
  int (*run)(const uint8_t* bytes, size_t size);
};

/// For the tests' names.
std::ostream& operator<<(std::ostream& out, const Target& target) {
  return out << target.name;
}

const Target kTargets[] = {
#define TARGET(name) {#name, fuzz_##name},
#include "corpus_targets.inc"
#undef TARGET
};

std::vector<uint8_t> from_base64(const std::string& line) {
  std::vector<uint8_t> bytes(line.size());
  const int size = EVP_DecodeBlock(bytes.data(), reinterpret_cast<const uint8_t*>(line.data()),
                                   static_cast<int>(line.size()));  // with the padding's zeros
  EXPECT_GT(size, 0) << line;
  bytes.resize(static_cast<size_t>(std::max(size, 0)));
  return bytes;
}

std::vector<uint8_t> inflated(std::span<const uint8_t> deflated) {
  std::vector<uint8_t> bytes(1 << 16);
  uLongf size = bytes.size();
  EXPECT_EQ(uncompress(bytes.data(), &size, deflated.data(), deflated.size()), Z_OK);
  return {bytes.begin(), bytes.begin() + static_cast<int64_t>(size)};  // so that AddressSanitizer knows where it ends
}

class Corpus : public testing::TestWithParam<Target> {};

TEST_P(Corpus, KeepsThePromises) {
  std::ifstream lines(tests::environment("LOCKSTEP_SOURCE") + "/tests/fuzz/corpus/" + GetParam().name + ".txt");
  int inputs = 0;
  for (std::string line; std::getline(lines, line); ++inputs) {
    const std::vector<uint8_t> input = inflated(from_base64(line));
    GetParam().run(input.data(), input.size());
  }
  EXPECT_GE(inputs, 5);
}

INSTANTIATE_TEST_SUITE_P(Of, Corpus, testing::ValuesIn(kTargets), [](const auto& target) { return target.param.name; });

}  // namespace
}  // namespace lockstep
