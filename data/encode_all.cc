#include "data/encode_all.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <utility>

namespace lockstep::data {

namespace {

EncodedText encode(const WordPieceTokenizer& tokenizer, const std::string& text, int max_length) {
  EncodedText encoded;
  encoded.ids = tokenizer.encode(text, max_length, &encoded.truncated);
  encoded.ids.shrink_to_fit();
  return encoded;
}

}  // namespace

std::vector<EncodedText> encode_all(const WordPieceTokenizer& tokenizer, std::span<Review> reviews, int max_length,
                                    int threads, const std::function<void(int64_t done)>& progress) {
  constexpr size_t kTake = 64;  // texts that a thread takes at a time
  std::vector<EncodedText> encoded(reviews.size());
  std::atomic<size_t> next = 0, done = 0;
  const auto work = [&] {
    for (size_t begin; (begin = next.fetch_add(kTake)) < reviews.size();) {
      const size_t end = std::min(begin + kTake, reviews.size());
      for (size_t i = begin; i < end; ++i)
        encoded[i] = encode(tokenizer, std::exchange(reviews[i].text, {}), max_length);
      done += end - begin;
    }
  };
  const unsigned workers =
      threads > 0 ? static_cast<unsigned>(threads) : std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::future<void>> running;
  for (unsigned i = 0; i < workers; ++i)
    running.push_back(std::async(std::launch::async, work));
  for (auto& worker : running) {
    while (worker.wait_for(std::chrono::milliseconds(200)) != std::future_status::ready)
      progress(static_cast<int64_t>(done.load()));
    worker.get();
  }
  return encoded;
}

}  // namespace lockstep::data
