#include "model/parameter_layout.h"

#include <gtest/gtest.h>

#include <set>

#include "model/error.h"
#include "tests/model/tiny_model.h"

namespace lockstep::model {
namespace {

TEST(ParameterLayout, CoversEveryElementOnce) {
  const ParameterLayout layout = make_layout(tiny_config());
  std::set<std::string> names;
  int64_t reached = 0;
  for (const ParameterSlot& slot : layout.slots) {
    EXPECT_EQ(slot.offset, reached) << slot.name;
    int64_t product = 1;
    for (const int64_t side : slot.shape)
      product *= side;
    EXPECT_EQ(slot.size, product) << slot.name;
    EXPECT_TRUE(names.insert(slot.name).second) << slot.name;
    reached += slot.size;
  }
  EXPECT_EQ(layout.size, reached);
}

TEST(ParameterLayout, OfDistilBertBaseHas66955010Elements) {
  EXPECT_EQ(make_layout({}).size, 66'955'010);
}

/// 0: head, 1: last layer, ..., n_layers: first layer, n_layers + 1: embeddings.
int64_t part_of(const ParameterSlot& slot, int64_t n_layers) {
  const std::string layer = "distilbert.transformer.layer.";
  if (slot.name.starts_with(layer)) return n_layers - std::stoll(slot.name.substr(layer.size()));
  return slot.name.starts_with("distilbert.embeddings.") ? n_layers + 1 : 0;
}

TEST(ParameterLayout, StandsInBackwardOrder) {
  const DistilBertConfig config = tiny_config();
  int64_t part = 0;
  for (const ParameterSlot& slot : make_layout(config).slots) {
    EXPECT_GE(part_of(slot, config.n_layers), part) << slot.name;
    part = part_of(slot, config.n_layers);
  }
  EXPECT_EQ(part, config.n_layers + 1);
}

TEST(ParameterLayout, EndsWithTheWordEmbeddings) {
  const ParameterLayout layout = make_layout(tiny_config());
  EXPECT_EQ(layout.word_embeddings().name, "distilbert.embeddings.word_embeddings.weight");
  EXPECT_EQ(layout.word_embeddings().offset + layout.word_embeddings().size, layout.size);
}

TEST(ParameterLayout, NamesAParameterThatIsNotThere) {
  const ParameterLayout layout = make_layout(tiny_config());
  EXPECT_EQ(layout.find("classifier.bias").shape, std::vector<int64_t>{3});
  try {
    layout.find("pooler.weight");
    FAIL() << "no error";
  } catch (const ModelContractError& error) {
    EXPECT_NE(std::string(error.what()).find("pooler.weight"), std::string::npos);
  }
}

}  // namespace
}  // namespace lockstep::model
