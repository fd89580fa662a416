// The data's way on one thread: text to ids, and a shard from disk to memory. The texts are made up: words of a
// vocabulary, the frequent ones often, as in natural language.
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>
#include <set>

#include "data/atomic_file.h"
#include "data/sha256.h"
#include "data/token_shard.h"
#include "data/wordpiece.h"
#include "tests/support/process.h"

namespace lockstep::data {
namespace {

/// Letters, whole and as continuations, and 20 000 words of 2 to 9 letters.
Vocabulary made_up_vocabulary() {
  std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", "."};
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    tokens.emplace_back(1, letter);
    tokens.push_back(std::string("##") + letter);
  }
  std::mt19937 random(1);
  std::set<std::string> words;
  while (words.size() < 20000) {
    std::string word;
    for (size_t length = 2 + random() % 8; word.size() < length;)
      word += static_cast<char>('a' + random() % 26);
    words.insert(word);
  }
  tokens.insert(tokens.end(), words.begin(), words.end());
  return Vocabulary(tokens);
}

/// 230 words, of which every tenth is in no vocabulary; their frequencies fall as in Zipf's law.
std::string made_up_review(const Vocabulary& vocabulary, std::mt19937& random) {
  std::uniform_real_distribution<double> uniform(0, 1);
  std::string text;
  for (int i = 0; i < 230; ++i) {
    const auto rank = std::min(19999.0, std::exp(uniform(random) * std::log(20000.0)));
    text += vocabulary.token(static_cast<int32_t>(vocabulary.size() - 1 - static_cast<size_t>(rank)));
    if (i % 10 == 0) text += "ingly";
    text += i % 13 == 0 ? ". " : " ";
  }
  return text;
}

void tokenizer(benchmark::State& state) {
  const WordPieceTokenizer tokenizer(made_up_vocabulary(), {});
  std::mt19937 random(2);
  std::vector<std::string> reviews(1000);
  for (std::string& review : reviews)
    review = made_up_review(tokenizer.vocabulary(), random);
  size_t next = 0;
  int64_t bytes = 0;
  for (auto _ : state) {
    const std::string& review = reviews[next++ % reviews.size()];
    benchmark::DoNotOptimize(tokenizer.encode(review, 512));
    bytes += static_cast<int64_t>(review.size());
  }
  state.SetBytesProcessed(bytes);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(tokenizer);

/// A shard file as IMDB's training split in one: 25 000 examples of 275 ids.
class ShardFile {
 public:
  ShardFile() {
    TokenShardWriter writer(path(), contract);
    std::mt19937 random(3);
    std::vector<int32_t> ids(275);
    for (int32_t example = 0; example < 25000; ++example) {
      for (int32_t& id : ids)
        id = static_cast<int32_t>(random() % 30522);
      writer.add(ids, example % 2);
    }
    writer.finish();
  }
  std::string path() const { return folder_ / "shard.h5"; }
  ShardContract contract = {"train", std::string(64, '0'), 30522, 2};

 private:
  tests::TemporaryFolder folder_;
};

/// From the page cache: the rate that the two below are held against.
void read_file_whole(benchmark::State& state) {
  const ShardFile shard;
  int64_t bytes = 0;
  for (auto _ : state)
    bytes += static_cast<int64_t>(read_file(shard.path()).size());
  state.SetBytesProcessed(bytes);
}
BENCHMARK(read_file_whole)->Unit(benchmark::kMillisecond);

void hash(benchmark::State& state) {
  const std::string bytes = read_file(ShardFile().path());
  for (auto _ : state)
    benchmark::DoNotOptimize(sha256_of(bytes));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes.size()));
}
BENCHMARK(hash)->Unit(benchmark::kMillisecond);

/// HDF5 to ids, offsets and labels in memory, every id checked.
void hdf5_to_memory(benchmark::State& state) {
  const ShardFile shard;
  const std::string bytes = read_file(shard.path());
  for (auto _ : state)
    benchmark::DoNotOptimize(parse_token_shard(bytes, shard.path(), shard.contract));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes.size()));
}
BENCHMARK(hdf5_to_memory)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lockstep::data
