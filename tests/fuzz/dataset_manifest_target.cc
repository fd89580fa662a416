// dataset.json: refused with a DataError, or what is read is what was written.
#include "data/dataset_manifest.h"
#include "data/error.h"
#include "target.h"

using namespace lockstep;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  try {
    const std::string text = data::to_json(data::parse_dataset_manifest(fuzz::text_of(bytes, size), fuzz::kWhere));
    fuzz::require(data::to_json(data::parse_dataset_manifest(text, fuzz::kWhere)) == text,
                  "it is read as it is written");
  } catch (const data::DataError& error) {
    fuzz::require_good_error(error);
  }
  return 0;
}
