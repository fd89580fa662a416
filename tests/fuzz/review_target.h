#pragma once

#include <memory>
#include <sstream>

#include "data/error.h"
#include "data/review_reader.h"
#include "data/unicode.h"
#include "target.h"

namespace lockstep::fuzz {

/// Reads all reviews: refused with one of two types, or valid UTF-8 with labels.
template <typename Reader>
void read_reviews(const uint8_t* bytes, size_t size) {
  try {
    Reader reader(std::make_unique<std::istringstream>(std::string(text_of(bytes, size))), kWhere, data::Columns{});
    while (const auto review = reader.next()) {
      int64_t bad = 0;
      data::to_valid_utf8(review->text + review->label, &bad);
      require(bad == 0, "texts and labels are UTF-8");
      require(!review->label.empty() && review->sha256.size() == 64, "each has a label and an identity");
    }
  } catch (const data::DataError& error) {
    require_good_error(error);
  } catch (const data::ContractError& error) {
    require_good_error(error);
  }
}

}  // namespace lockstep::fuzz
