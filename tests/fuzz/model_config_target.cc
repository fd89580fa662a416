// config.json of a model: refused with one of two types, or what is read is what was written.
#include "model/config.h"
#include "model/error.h"
#include "target.h"

using namespace lockstep;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  try {
    const std::string text = model::config_json(model::parse_config(fuzz::text_of(bytes, size), fuzz::kWhere));
    fuzz::require(model::config_json(model::parse_config(text, fuzz::kWhere)) == text, "it is read as it is written");
  } catch (const model::ModelFileError& error) {
    fuzz::require_good_error(error);
  } catch (const model::ModelContractError& error) {
    fuzz::require_good_error(error);
  }
  return 0;
}
