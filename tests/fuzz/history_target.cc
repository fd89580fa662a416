// history.jsonl of a checkpoint: refused with a DataError that names the line, or records that are read as they are
// written.
#include "data/error.h"
#include "launcher/loop/run_records.h"
#include "target.h"

using namespace lockstep;

namespace {

std::string text_of(const std::vector<RunRecord>& records) {
  std::string text;
  for (const RunRecord& record : records)
    text += std::visit([](const auto& kind) { return exact_json(kind); }, record).dump() + "\n";
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  try {
    const std::string text = text_of(parse_records(fuzz::text_of(bytes, size), fuzz::kWhere));
    fuzz::require(text_of(parse_records(text, fuzz::kWhere)) == text, "it is read as it is written");
  } catch (const data::DataError& error) {
    fuzz::require_good_error(error);
    fuzz::require(std::string_view(error.what()).starts_with("file, line "), "the error names the line", error.what());
  }
  return 0;
}
