#include "model/dropout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <iomanip>
#include <sstream>
#include <vector>

#include "model/eight_draws.h"
#include "model/philox.h"
#include "tests/support/process.h"
#include "tests/support/require.h"

namespace lockstep::model {
namespace {

constexpr DropoutKey kKey = {
    .seed = 42, .step = 3, .example_id = 1'000'000'007, .layer = 2, .site = DropoutSite::kAttention};

std::vector<float> mask(const DropoutKey& key, int64_t count, double p = 0.5) {
  std::vector<float> values(static_cast<size_t>(count), 1.0F);
  apply_dropout(values.data(), count, 0, key, p);
  return values;
}

TEST(Philox, GivesThePublishedAnswers) {
  // Random123's known-answer file for philox4x32-10.
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxWords{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}), (PhiloxWords{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxWords{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

/// The code that GPUs run, on the host.
TEST(EightDraws, AreTheMasksOfEightElements) {
  DropoutKey key = kKey;
  key.example_id = int64_t{7} << 40 | 5;
  const PhiloxKey philox = philox_key(key.seed, key.step);
  for (const uint32_t block : {0U, 1U, 100'000U}) {
    uint16_t draws[kDrawsPerCounter];
    dropout_draws(draws, kDrawsPerCounter, int64_t{block} * kDrawsPerCounter, key);
    const auto kept =
        eight_draws<int64_t>(block, key.example_id, mask_counter(key, 0)[1], philox.low, philox.high, 30000);
    for (int i = 0; i < kDrawsPerCounter; ++i)
      EXPECT_EQ(kept >> (8 * i) & 0xFF, draws[i] >= 30000 ? 1 : 0) << block << ", " << i;
  }
}

TEST(EightDraws, CompileForGpus) {
  std::ostringstream command;  // the text has nothing that a shell reads between double quotes
  command << std::quoted(tests::environment("LOCKSTEP_PYTHON")) << ' '
          << std::quoted(tests::environment("LOCKSTEP_SOURCE") + "/tests/model/compile_for_gpus.py") << ' '
          << std::quoted(kEightDrawsText);
  const auto compiled = tests::run(command.str());
  LOCKSTEP_NEEDS("nvrtc", compiled.exit_code != 77, compiled.output);
  EXPECT_EQ(compiled.exit_code, 0) << compiled.output;
}

TEST(Dropout, IsTheMaskThatPhiloxDefines) {
  const double p = 0.1;
  const std::vector<float> values = mask(kKey, 1003, p);
  for (int64_t e = 0; e < 1003; ++e) {
    const PhiloxWords words =
        philox(mask_counter(kKey, static_cast<uint32_t>(e / 8)), philox_key(kKey.seed, kKey.step));
    const uint32_t draw = words[static_cast<size_t>(e % 8 / 2)] >> (e % 2 * 16) & 0xFFFF;
    EXPECT_EQ(values[e], draw >= 6554 ? static_cast<float>(1 / (1 - p)) : 0.0F) << "element " << e;
  }
}

TEST(Dropout, MasksAreTheSameInEveryRelease) {
  // Any change of this value changes every user's training runs.
  uint64_t digest = 0;
  for (const float value : mask(kKey, 4096))
    digest = digest * 6364136223846793005U + (value != 0 ? 1 : 2);
  EXPECT_EQ(digest, 13679920158924556195U);
}

TEST(Dropout, DropsAtTheRateAskedForWithin4Sigma) {
  constexpr int64_t kCount = 1'000'000;
  for (const double p : {0.1, 0.2, 0.5}) {
    int64_t dropped = 0;
    for (const float value : mask(kKey, kCount, p))
      dropped += value == 0 ? 1 : 0;
    EXPECT_NEAR(static_cast<double>(dropped), kCount * p, 4 * std::sqrt(kCount * p * (1 - p))) << p;
  }
}

TEST(Dropout, MasksOfDifferentKeysAreIndependent) {
  constexpr int64_t kCount = 100'000;
  const std::vector<float> first = mask(kKey, kCount);
  std::vector<DropoutKey> others(7, kKey);
  others[0].seed += 1;
  others[1].step += 1;
  others[2].example_id += 1;
  others[3].example_id += int64_t{1} << 32;
  others[4].layer += 1;
  others[5].site = DropoutSite::kFeedForward;
  others[6].seed += uint64_t{1} << 40;
  for (size_t k = 0; k < others.size(); ++k) {
    const std::vector<float> second = mask(others[k], kCount);
    int64_t same = 0;
    for (int64_t i = 0; i < kCount; ++i)
      same += first[i] == second[i] ? 1 : 0;
    EXPECT_NEAR(static_cast<double>(same), kCount / 2.0, 4 * std::sqrt(kCount / 4.0))
        << "key " << k;  // 4 sigma of fair coins
  }
}

TEST(Dropout, DoesNotDependOnChunking) {
  const std::vector<float> whole = mask(kKey, 1000);
  for (const int64_t chunk : {8, 64, 136, 992}) {
    std::vector<float> parts(1000, 1.0F);
    for (int64_t first = 0; first < 1000; first += chunk)
      apply_dropout(parts.data() + first, std::min(chunk, 1000 - first), first, kKey, 0.5);
    EXPECT_EQ(parts, whole) << "chunks of " << chunk;
  }
}

TEST(Dropout, OfRateZeroChangesNothing) {
  EXPECT_EQ(mask(kKey, 100, 0.0), std::vector<float>(100, 1.0F));
}

TEST(Dropout, TouchesNothingBeyondCount) {
  std::vector<float> values(80, 1.0F);
  apply_dropout(values.data(), 67, 0, kKey, 0.99);
  for (size_t i = 67; i < values.size(); ++i)
    EXPECT_EQ(values[i], 1.0F) << i;
}

}  // namespace
}  // namespace lockstep::model
