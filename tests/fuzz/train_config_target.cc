// A --config file: refused as wrong usage, or keys and values.
#include <sstream>

#include "launcher/cli/config_file.h"
#include "launcher/errors.h"
#include "target.h"

using namespace lockstep;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  std::istringstream file{std::string(fuzz::text_of(bytes, size))};
  try {
    size_t read = 0;
    for (const ConfigSetting& setting : parse_config_file(file, fuzz::kWhere))
      read += setting.value.size();
    fuzz::require(read <= 4 * size, "values come from the file");  // a key alone is "true"
  } catch (const UsageError& error) {
    fuzz::require(std::string_view(error.what()).starts_with("--config file"), "the error names the file",
                  error.what());
    fuzz::require(std::string_view(error.what()).size() < 2000, "the error is short", error.what());
  }
  return 0;
}
