#include "model/weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>

#include "model/error.h"
#include "model/safetensors.h"
#include "tests/model/tiny_model.h"
#include "tests/support/bert_folder.h"
#include "tests/support/process.h"

namespace lockstep::model {
namespace {

/// Writes `model`'s tensors under other names; a name of "" leaves the tensor out.
void save_renamed(const DistilBert& model, const std::string& path,
                  const std::function<std::string(const std::string&)>& rename) {
  const std::vector<float> values = parameters_of(model);
  std::vector<TensorToWrite> tensors;
  for (const ParameterSlot& slot : model.layout().slots)
    if (const std::string name = rename(slot.name); !name.empty())
      tensors.push_back({name, slot.shape, std::span(values).subspan(slot.offset, slot.size)});
  write_safetensors(path, tensors);
}

std::string without_head(const std::string& name) {
  return name.find("classifier") == std::string::npos ? name : "";
}

TEST(Weights, SavedAndLoadedAreTheSameBits) {
  const tests::TemporaryFolder folder;
  const DistilBert saved = tiny_model();
  save_weights(saved, folder.path());
  DistilBert loaded(load_config(folder.path()), "cpu");
  const LoadReport report = load_weights(loaded, folder.path(), 99);
  EXPECT_EQ(parameters_of(loaded), parameters_of(saved));
  EXPECT_TRUE(report.newly_initialized.empty());
  EXPECT_TRUE(report.unused.empty());
  EXPECT_FALSE(report.folded_from_bert);
}

TEST(Weights, OfABaseModelGetAHeadThatDependsOnTheSeedOnly) {
  const tests::TemporaryFolder folder;
  const DistilBert saved = tiny_model();
  const std::string prefix = "distilbert.";
  save_renamed(saved, folder / "model.safetensors", [&](const std::string& name) {  // DistilBertModel's names
    return without_head(name).empty() ? "" : name.substr(prefix.size());
  });
  DistilBert first(tiny_config(), "cpu");
  DistilBert second = tiny_model();
  DistilBert third(tiny_config(), "cpu");
  const LoadReport report = load_weights(first, folder.path(), 5);
  load_weights(second, folder.path(), 5);
  load_weights(third, folder.path(), 6);
  EXPECT_EQ(report.newly_initialized.size(), 4U);
  EXPECT_EQ(parameters_of(first), parameters_of(second));
  EXPECT_NE(parameters_of(first), parameters_of(third));
}

TEST(Weights, AClassifierOfAnotherNumberOfLabelsIsNewAndTheRestIsKept) {
  const tests::TemporaryFolder folder;
  const DistilBert saved = tiny_model();
  save_weights(saved, folder.path());
  DistilBertConfig config = tiny_config();
  config.labels = {"no", "yes"};
  DistilBert model(config, "cpu");
  const LoadReport report = load_weights(model, folder.path(), 1);
  EXPECT_EQ(report.newly_initialized, (std::vector<std::string>{"classifier.weight", "classifier.bias"}));
  EXPECT_EQ(report.unused, (std::vector<std::string>{"classifier.bias", "classifier.weight"}));
  EXPECT_EQ(report.misfit, "tensor \"classifier.weight\" has shape [3, 16]");
  EXPECT_FALSE(report.leaves_bert_classifier());
}

TEST(Weights, OfAFineTunedBertTheEncoderIsUsedAndTheClassifierIsNot) {
  const tests::TemporaryFolder folder;
  const DistilBert saved = tiny_model();
  tests::write_bert_classifier(saved, folder.path());
  DistilBert loaded(tiny_config(), "cpu");
  const LoadReport report = load_weights(loaded, folder.path(), 1);
  EXPECT_TRUE(report.folded_from_bert);
  EXPECT_TRUE(report.leaves_bert_classifier());
  EXPECT_EQ(report.newly_initialized.size(), 4U);
  const int64_t head = saved.layout().find("pre_classifier.bias").offset + 16;
  const std::vector<float> theirs = parameters_of(saved), ours = parameters_of(loaded);
  EXPECT_TRUE(std::equal(theirs.begin() + head, theirs.end(), ours.begin() + head));
}

TEST(Weights, OfABertThatWasNeverFineTunedNoClassifierIsLeft) {
  const tests::TemporaryFolder folder;
  tests::write_bert_classifier(tiny_model(), folder.path());
  std::string file = tests::read_file(folder / "model.safetensors");
  for (size_t at; (at = file.find("\"classifier.")) != std::string::npos;)
    file[at + 1] = 'k';
  std::ofstream(folder / "model.safetensors", std::ios::binary) << file;
  EXPECT_FALSE(examine_weights(tiny_config(), folder.path()).leaves_bert_classifier());
}

TEST(Weights, AreExaminedWithoutAModelAsTheyAreWithOne) {
  const tests::TemporaryFolder folder;
  save_weights(tiny_model(), folder.path());
  DistilBertConfig config = tiny_config();
  config.labels = {"no", "yes"};
  DistilBert model(config, "cpu");
  const LoadReport loaded = load_weights(model, folder.path(), 1), examined = examine_weights(config, folder.path());
  EXPECT_EQ(examined.newly_initialized, loaded.newly_initialized);
  EXPECT_EQ(examined.unused, loaded.unused);
  EXPECT_EQ(examined.misfit, loaded.misfit);
  EXPECT_EQ(examined.folded_from_bert, loaded.folded_from_bert);
}

TEST(Weights, TensorsOfALanguageModelHeadAreReportedUnused) {
  const tests::TemporaryFolder folder;
  save_renamed(tiny_model(), folder / "model.safetensors", [](const std::string& name) {
    return name == "pre_classifier.bias" ? "vocab_transform.bias" : without_head(name);
  });
  DistilBert model(tiny_config(), "cpu");
  EXPECT_EQ(load_weights(model, folder.path(), 1).unused, std::vector<std::string>{"vocab_transform.bias"});
}

TEST(Weights, OldNamesOfLayerNormAreUnderstood) {
  const tests::TemporaryFolder folder;
  const DistilBert saved = tiny_model();
  save_renamed(saved, folder / "model.safetensors", [](const std::string& name) {
    const std::string norm = "distilbert.embeddings.LayerNorm.";
    if (name == norm + "weight") return norm + "gamma";
    if (name == norm + "bias") return norm + "beta";
    return name;
  });
  DistilBert model(tiny_config(), "cpu");
  load_weights(model, folder.path(), 1);
  EXPECT_EQ(parameters_of(model), parameters_of(saved));
}

std::string complaint_about(const std::filesystem::path& folder) {
  DistilBert model(tiny_config(), "cpu");
  try {
    load_weights(model, folder, 1);
  } catch (const ModelContractError& error) {
    return error.what();
  }
  return "";
}

TEST(Weights, AMissingTensorIsNamed) {
  const tests::TemporaryFolder folder;
  const std::string name = "distilbert.transformer.layer.1.ffn.lin2.bias";
  save_renamed(tiny_model(), folder / "model.safetensors", [&](const std::string& n) { return n == name ? "" : n; });
  EXPECT_NE(complaint_about(folder.path()).find(name), std::string::npos);
}

TEST(Weights, ATensorOfAnotherShapeIsNamedWithBothShapes) {
  const tests::TemporaryFolder folder;
  DistilBertConfig config = tiny_config();
  config.vocab_size = 41;
  save_weights(tiny_model(config), folder.path());
  const std::string complaint = complaint_about(folder.path());
  EXPECT_NE(complaint.find("word_embeddings.weight\" has shape [41, 16], config.json says [40, 16]"), std::string::npos)
      << complaint;
}

TEST(Weights, APickleIsRefusedWithTheCommandThatConvertsIt) {
  const tests::TemporaryFolder folder;
  std::ofstream(folder / "pytorch_model.bin") << "PK";
  EXPECT_NE(complaint_about(folder.path()).find("save_pretrained"), std::string::npos);
}

TEST(Weights, SeveralFilesAreRefusedWithTheCommandThatJoinsThem) {
  const tests::TemporaryFolder folder;
  std::ofstream(folder / "model.safetensors.index.json") << "{}";
  EXPECT_NE(complaint_about(folder.path()).find("max_shard_size"), std::string::npos);
}

TEST(Weights, AFolderWithoutWeightsIsRefused) {
  const tests::TemporaryFolder folder;
  DistilBert model(tiny_config(), "cpu");
  EXPECT_THROW(load_weights(model, folder.path(), 1), ModelFileError);
}

TEST(Initialization, IsHuggingFacesAndAFunctionOfTheSeed) {
  DistilBertConfig config = tiny_config();
  config.vocab_size = 4000;
  config.sinusoidal_pos_embds = true;
  const DistilBert model = tiny_model(config);
  EXPECT_EQ(parameters_of(model), parameters_of(tiny_model(config)));
  const std::vector<float> values = parameters_of(model);
  const auto part = [&](const std::string& name) {
    const ParameterSlot& slot = model.layout().find(name);
    return std::span(values).subspan(slot.offset, slot.size);
  };
  for (const float value : part("distilbert.transformer.layer.0.sa_layer_norm.weight"))
    EXPECT_EQ(value, 1);
  for (const float value : part("distilbert.transformer.layer.0.ffn.lin1.bias"))
    EXPECT_EQ(value, 0);
  EXPECT_FLOAT_EQ(part("distilbert.embeddings.position_embeddings.weight")[16 * 3], std::sin(3.0F));
  EXPECT_FLOAT_EQ(part("distilbert.embeddings.position_embeddings.weight")[16 * 3 + 1], std::cos(3.0F));

  const auto words = part("distilbert.embeddings.word_embeddings.weight");
  for (const float value : words.first(16))
    EXPECT_EQ(value, 0) << "the padding token's row";
  double sum = 0;
  double squares = 0;
  for (const float value : words) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const auto n = static_cast<double>(words.size() - 16);
  const double sigma = config.initializer_range;
  EXPECT_NEAR(sum / n, 0, 4 * sigma / std::sqrt(n));                              // 4 sigma of a mean of n normals
  EXPECT_NEAR(squares / n, sigma * sigma, 4 * sigma * sigma * std::sqrt(2 / n));  // and of their variance
}

TEST(Initialization, OfTheHeadAloneLeavesTheRest) {
  DistilBert model = tiny_model();
  const std::vector<float> before = parameters_of(model);
  model.initialize(77, true);
  const std::vector<float> after = parameters_of(model);
  const int64_t head = model.layout().find("pre_classifier.bias").offset + 16;
  EXPECT_FALSE(std::equal(before.begin(), before.begin() + head, after.begin()));
  EXPECT_TRUE(std::equal(before.begin() + head, before.end(), after.begin() + head));
}

}  // namespace
}  // namespace lockstep::model
