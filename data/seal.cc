#include "data/seal.h"

#include "data/sha256.h"

namespace lockstep::data {

namespace {

constexpr std::string_view kBegin = ",\n  \"sha256\": \"", kEnd = "\"\n}\n";
constexpr size_t kSize = kBegin.size() + 64 + kEnd.size();

std::string seal_of(std::string_view body) {
  return std::string(kBegin) + sha256_of(body) + std::string(kEnd);
}

}  // namespace

std::string sealed(std::string object) {
  object.resize(object.size() - 2);  // "\n}": the seal closes the object
  return object + seal_of(object);
}

std::optional<std::string> problem_with_seal(std::string_view text) {
  if (text.size() <= kSize || !text.ends_with(kEnd)) return "it is cut short, or was not written by lockstep";
  const std::string_view body = text.substr(0, text.size() - kSize);
  if (text.substr(body.size()) != seal_of(body)) return "it was changed: its sha256 is now " + sha256_of(body);
  return std::nullopt;
}

}  // namespace lockstep::data
