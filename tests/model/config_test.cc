#include "model/config.h"

#include <gtest/gtest.h>

#include <fstream>

#include "model/error.h"
#include "tests/support/process.h"

namespace lockstep::model {
namespace {

DistilBertConfig config_of(const std::string& json) {
  const tests::TemporaryFolder folder;
  std::ofstream(folder / "config.json") << json;
  return load_config(folder.path());
}

template <class Error>
std::string complaint_about(const std::string& json) {
  try {
    config_of(json);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Config, GivesBackWhatWasWritten) {
  DistilBertConfig config;
  config.vocab_size = 123;
  config.n_layers = 3;
  config.activation = Activation::kRelu;
  config.attention_dropout = 0.15;
  config.sinusoidal_pos_embds = true;
  config.pad_token_id = 7;
  config.labels = {"schlecht", "na \"ja\"", "gut"};
  const DistilBertConfig back = config_of(config_json(config));
  EXPECT_EQ(back.vocab_size, 123);
  EXPECT_EQ(back.n_layers, 3);
  EXPECT_EQ(back.activation, Activation::kRelu);
  EXPECT_EQ(back.attention_dropout, 0.15);
  EXPECT_TRUE(back.sinusoidal_pos_embds);
  EXPECT_EQ(back.pad_token_id, 7);
  EXPECT_EQ(back.labels, config.labels);
}

TEST(Config, OfTheMostLabelsIsWrittenInTimeAndReadAgain) {  // it took minutes, and was more than could be read
  const DistilBertConfig config = config_of(R"({"model_type": "distilbert", "num_labels": 65536})");
  EXPECT_EQ(config_of(config_json(config)).labels, config.labels);
}

TEST(Config, OfLabelsThatAreAlikeNamesTheLast) {
  DistilBertConfig config;
  config.labels = {"a", "b", "a"};
  EXPECT_NE(config_json(config).find("\"a\": 2"), std::string::npos) << config_json(config);
  EXPECT_EQ(config_of(config_json(config)).labels, config.labels);
}

TEST(Config, WithoutKeysIsDistilBertBaseWithTwoLabels) {
  const DistilBertConfig config = config_of(R"({"model_type": "distilbert"})");
  EXPECT_EQ(config.dim, 768);
  EXPECT_EQ(config.labels, (std::vector<std::string>{"LABEL_0", "LABEL_1"}));
}

TEST(Config, OfBertIsMappedToDistilBertsNames) {
  const DistilBertConfig config = config_of(
      R"({"model_type": "bert", "hidden_size": 384, "num_hidden_layers": 5, "num_attention_heads": 6, "intermediate_size": 99,
          "hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.2, "hidden_act": "relu", "vocab_size": 50})");
  EXPECT_EQ(config.dim, 384);
  EXPECT_EQ(config.n_layers, 5);
  EXPECT_EQ(config.n_heads, 6);
  EXPECT_EQ(config.hidden_dim, 99);
  EXPECT_EQ(config.dropout, 0.3);
  EXPECT_EQ(config.attention_dropout, 0.2);
  EXPECT_EQ(config.activation, Activation::kRelu);
  EXPECT_EQ(config.vocab_size, 50);
}

TEST(Config, ArithmeticOfDistilBertBaseIs14MegaFlopsPerTokenAndLayerPlusAttention) {
  const DistilBertConfig base;
  EXPECT_EQ(arithmetic_of(base, 1), 6 * (24.0 * 768 * 768 + 4 * 768));
  const double row = 20.0 * 768 * 768 + 4 * 512 * 768, key_and_value = 4.0 * 768 * 768;
  EXPECT_EQ(arithmetic_of(base, 512), (5 * 512 + 1) * row + 6 * 512 * key_and_value);
}

TEST(Config, ThatCannotBeUsedIsRefusedByFileAndKey) {
  const auto refused = [](const std::string& key, const std::string& rest) {
    const std::string complaint = complaint_about<ModelContractError>("{" + rest + "}");
    EXPECT_NE(complaint.find("config.json"), std::string::npos) << complaint;
    EXPECT_NE(complaint.find("\"" + key + "\""), std::string::npos) << rest << ": " << complaint;
  };
  const std::string distilbert = R"("model_type": "distilbert", )";
  const std::string bert = R"("model_type": "bert", )";
  refused("model_type", R"("model_type": "roberta")");
  refused("model_type", R"("dim": 3)");
  refused("activation", distilbert + R"("activation": "gelu_new")");
  refused("dim", distilbert + R"("dim": 10, "n_heads": 4)");
  refused("n_layers", distilbert + R"("n_layers": 0)");
  refused("vocab_size", distilbert + R"("vocab_size": 1000000000000)");
  refused("dropout", distilbert + R"("dropout": 1.0)");
  refused("pad_token_id", distilbert + R"("vocab_size": 5, "pad_token_id": 5)");
  refused("problem_type", distilbert + R"("problem_type": "regression")");
  refused("layer_norm_eps", bert + R"("layer_norm_eps": 1e-5)");
  refused("position_embedding_type", bert + R"("position_embedding_type": "relative_key")");
  refused("is_decoder", bert + R"("is_decoder": true)");
}

TEST(Config, ThatIsDamagedIsRefusedByFileAndKey) {
  EXPECT_NE(complaint_about<ModelFileError>("{").find("config.json: not valid JSON"), std::string::npos);
  const std::string twice = R"({"model_type": "distilbert", "dim": 8, "dim": 16})";
  EXPECT_NE(complaint_about<ModelFileError>(twice).find("\"dim\" stands twice"), std::string::npos);
  const std::string text = R"({"model_type": "distilbert", "dim": "wide"})";
  EXPECT_NE(complaint_about<ModelFileError>(text).find("\"dim\": expected an integer, found \"wide\""),
            std::string::npos);
  const std::string hole = R"({"model_type": "distilbert", "id2label": {"0": "a", "2": "b"}})";
  EXPECT_NE(complaint_about<ModelFileError>(hole).find("\"id2label\""), std::string::npos);
}

TEST(Config, ThatAsksForMoreThanAnyModelHasIsRefused) {
  const std::string labels = R"({"model_type": "distilbert", "num_labels": 10000000})";
  EXPECT_NE(complaint_about<ModelContractError>(labels).find("expected 1 to 65536"), std::string::npos);
  const std::string deep = R"({"model_type": "distilbert", "dim": )" + std::string(100'000, '[');
  EXPECT_NE(complaint_about<ModelFileError>(deep).find("nested more than 16 levels"), std::string::npos);
  const std::string long_file = std::string(17 << 20, ' ') + "{}";
  EXPECT_NE(complaint_about<ModelFileError>(long_file).find("more than 16777216 bytes"), std::string::npos);
}

TEST(Config, ThatIsMissingIsNamed) {
  const tests::TemporaryFolder folder;
  EXPECT_THROW(load_config(folder.path()), ModelFileError);
}

}  // namespace
}  // namespace lockstep::model
