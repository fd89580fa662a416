#include "data/csv_reader.h"
#include "review_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  lockstep::fuzz::read_reviews<lockstep::data::CsvReader>(bytes, size);
  return 0;
}
