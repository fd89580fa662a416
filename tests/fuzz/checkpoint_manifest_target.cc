// manifest.json of a checkpoint. Inputs are what stands before the seal, which the target adds: no mutation would get
// past the hash.
#include "data/sha256.h"
#include "launcher/checkpoint/checkpoint_error.h"
#include "launcher/checkpoint/manifest.h"
#include "target.h"

using namespace lockstep;

namespace {

std::string sealed(std::string_view body) {
  return std::string(body) + ",\n  \"sha256\": \"" + data::sha256_of(body) + "\"\n}\n";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view body = fuzz::text_of(bytes, size);
  try {
    const std::string text = to_text(parse_manifest(sealed(body)));
    fuzz::require(to_text(parse_manifest(text)) == text, "it is read as it is written");
  } catch (const CheckpointError& error) {
    fuzz::require(std::string_view(error.what()).size() < 2000, "the error is short", error.what());
  }
  return 0;
}
