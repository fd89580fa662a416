// Folders that Lockstep writes, read by transformers; BERT folded into DistilBERT, against transformers' BertModel.
#include <gtest/gtest.h>

#include <random>

#include "model/weights.h"
#include "tests/parity/reference_batch.h"
#include "tests/support/process.h"
#include "tests/support/require.h"

namespace lockstep::model {
namespace {

struct Packed {
  std::vector<int32_t> ids;
  std::vector<int32_t> offsets = {0};
  PackedInput input() const { return {ids, offsets, {}, {}}; }
};

Packed random_examples(int64_t vocab_size, int64_t longest) {
  std::mt19937 random(7);
  Packed packed;
  for (const int64_t length : {int64_t{2}, int64_t{17}, int64_t{64}, longest}) {
    for (int64_t i = 0; i < length; ++i)
      packed.ids.push_back(static_cast<int32_t>(random() % vocab_size));
    packed.offsets.push_back(static_cast<int32_t>(packed.ids.size()));
  }
  return packed;
}

void write_logits(DistilBert& model, const Packed& packed, const std::filesystem::path& path) {
  const std::vector<float> ids(packed.ids.begin(), packed.ids.end());
  const std::vector<float> offsets(packed.offsets.begin(), packed.offsets.end());
  const std::vector<float> logits = model.logits(packed.input());
  const int64_t labels = model.config().num_labels();
  const TensorToWrite tensors[] = {{"ids", {static_cast<int64_t>(ids.size())}, ids},
                                   {"offsets", {static_cast<int64_t>(offsets.size())}, offsets},
                                   {"logits", {static_cast<int64_t>(logits.size()) / labels, labels}, logits}};
  write_safetensors(path, tensors);
}

/// Saves `model`, lets transformers load it without a warning and compare logits.
tests::Outcome save_and_check(DistilBert& model, const std::string& bert_folder) {
  const tests::TemporaryFolder folder;
  save_weights(model, folder.path());
  write_logits(model, random_examples(model.config().vocab_size, model.config().max_position_embeddings),
               folder / "logits");
  return tests::run(tests::environment("LOCKSTEP_PYTHON") + " " + tests::environment("LOCKSTEP_SOURCE") +
                    "/tests/parity/check_saved_model.py " + folder.path().string() + " " + (folder / "logits") + " " +
                    bert_folder);
}

TEST(SavedModel, TransformersLoadsItWithoutAWarningAndComputesTheSameLogits) {
  LOCKSTEP_NEEDS("transformers", has_reference(), "model_reference.py could not run");
  for (const std::string variant : {"gelu", "relu"}) {
    DistilBertConfig config = load_config(kReference / variant);
    for (std::string& label : config.labels)
      label = "label \"" + label + "\"";
    DistilBert model(config, "cpu");
    load_weights(model, kReference / variant, 0);
    const tests::Outcome outcome = save_and_check(model, "");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  }
}

TEST(SavedModel, MiniLmFoldedIntoDistilBertComputesWhatBertComputes) {
  LOCKSTEP_NEEDS("transformers", has_reference(), "model_reference.py could not run");
  LOCKSTEP_NEEDS("minilm", std::filesystem::exists(kReference / "minilm.txt"), "its Python package is missing");
  const std::string bert_folder = tests::read_file(kReference / "minilm.txt");
  DistilBert model(load_config(bert_folder), "cpu");
  const LoadReport report = load_weights(model, bert_folder, 1);
  EXPECT_TRUE(report.folded_from_bert);
  EXPECT_EQ(report.unused,
            (std::vector<std::string>{"embeddings.position_ids", "pooler.dense.bias", "pooler.dense.weight"}));
  EXPECT_EQ(report.newly_initialized, (std::vector<std::string>{"classifier.weight", "classifier.bias",
                                                                "pre_classifier.weight", "pre_classifier.bias"}));
  const tests::Outcome outcome = save_and_check(model, bert_folder);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
}

}  // namespace
}  // namespace lockstep::model
