#include "model/flat_vector.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace lockstep::model {
namespace {

DistilBertConfig config_of(int64_t labels, int64_t dim) {
  DistilBertConfig config;
  config.vocab_size = 100;
  config.n_layers = 2;
  config.dim = dim;
  config.hidden_dim = 4 * dim;
  config.labels.assign(static_cast<size_t>(labels), "label");
  return config;
}

class FlatVector : public testing::TestWithParam<std::tuple<int64_t, int64_t>> {
 protected:
  const ParameterLayout layout_ = make_layout(config_of(std::get<0>(GetParam()), std::get<1>(GetParam())));
};

TEST_P(FlatVector, EverySlotBehindTheClassifierIsAligned) {
  const int64_t before = elements_before(layout_);
  EXPECT_LT(before, kFlatAlignment);
  for (const ParameterSlot& slot : layout_.slots) {
    if (slot.name.starts_with("classifier.")) continue;
    EXPECT_EQ((before + slot.offset) % kFlatAlignment, 0) << slot.name;
  }
}

TEST_P(FlatVector, IsAsLongAsAskedAndZero) {
  const at::Tensor flat = aligned_zeros(layout_, layout_.size - 3, at::kBFloat16);
  EXPECT_EQ(flat.numel(), layout_.size - 3);
  EXPECT_EQ(flat.count_nonzero().item<int64_t>(), 0);
  const auto* start = static_cast<const at::BFloat16*>(flat.storage().data());
  EXPECT_EQ(flat.const_data_ptr<at::BFloat16>() - start, elements_before(layout_));
}

INSTANTIATE_TEST_SUITE_P(LabelsAndWidths, FlatVector,
                         testing::Combine(testing::Values(1, 2, 3, 128), testing::Values(384, 768)));

TEST(FlatVector, OnTheCpuNothingStandsBeforeIt) {
  const ParameterLayout layout = make_layout(config_of(2, 384));
  EXPECT_GT(elements_before(layout), 0);
  EXPECT_EQ(flat_zeros(layout, layout.size, at::kFloat).storage_offset(), 0);
}

}  // namespace
}  // namespace lockstep::model
