#include "data/encode_all.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <system_error>
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

/// As many threads as the system lets it have, up to `count`.
std::vector<std::future<void>> start(size_t count, const std::function<void()>& work) {
  std::vector<std::future<void>> running;
  try {
    while (running.size() < count)
      running.push_back(std::async(std::launch::async, work));
  } catch (const std::system_error&) {
    // ulimit -u, a container's limit: those that run take it all.
  }
  return running;
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
  const size_t wanted = threads > 0 ? static_cast<size_t>(threads) : std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::future<void>> running = start(std::min(wanted, (reviews.size() + kTake - 1) / kTake), work);
  if (running.empty()) work();
  for (auto& worker : running) {
    while (worker.wait_for(std::chrono::milliseconds(200)) != std::future_status::ready)
      progress(static_cast<int64_t>(done.load()));
    worker.get();
  }
  return encoded;
}

}  // namespace lockstep::data
