#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "data/review.h"
#include "data/wordpiece.h"

namespace lockstep::data {

struct EncodedText {
  std::vector<int32_t> ids;
  bool truncated = false;
};

/// Takes every text out of its review and tokenizes it on `threads` threads (0: all cores); the result is in the
/// reviews' order, whatever the threads do. `progress` is called from the calling thread about five times per second
/// with the number of texts done.
std::vector<EncodedText> encode_all(const WordPieceTokenizer& tokenizer, std::span<Review> reviews, int max_length,
                                    int threads, const std::function<void(int64_t done)>& progress);

}  // namespace lockstep::data
