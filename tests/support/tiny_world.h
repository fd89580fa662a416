#pragma once

#include <fstream>
#include <string>

#include "data/prepare.h"
#include "launcher/loop/trainer.h"
#include "model/weights.h"
#include "tests/support/process.h"

namespace lockstep::tests {

/// A DistilBERT small enough for a test's every step (2 layers of 32, letters as vocabulary) and the repository's smoke
/// corpus prepared with it. A stand-in for size only: the same code, files and formats as the real thing. As in a real
/// vocabulary, most pieces are in no batch; a larger one makes larger files, and hardly slower steps.
class TinyWorld {
 public:
  explicit TinyWorld(int max_length = 48) : TinyWorld(max_length, config()) {}
  TinyWorld(int max_length, const model::DistilBertConfig& shape) {
    std::filesystem::create_directories(model_folder());
    write_vocabulary(shape.vocab_size);
    model::DistilBert model(shape, "cpu");
    model.initialize(7, false);
    model::save_weights(model, model_folder());
    data::PrepareOptions options;
    options.imdb = environment("LOCKSTEP_SOURCE") + "/tests/fixtures/smoke/aclImdb";
    options.model = model_folder();
    options.output = dataset_folder();
    options.name = "smoke corpus";
    options.max_length = max_length;
    options.shards = 2;
    options.threads = 1;
    data::prepare(options);
  }

  std::string model_folder() const { return folder_ / "model"; }
  std::string dataset_folder() const { return folder_ / "dataset"; }
  std::string path(const std::string& name) const { return folder_ / name; }

  static constexpr int kVocabulary = 160;
  static model::DistilBertConfig config(int vocabulary = kVocabulary) {
    model::DistilBertConfig config;
    config.vocab_size = vocabulary;
    config.max_position_embeddings = 64;
    config.n_layers = 2;
    config.n_heads = 4;
    config.dim = 32;
    config.hidden_dim = 64;
    config.labels = {"neg", "pos"};
    return config;
  }

  TrainingData training_data() const {
    TrainingData data{data::ShardedDataset::open(dataset_folder(), "train"),
                      {},
                      data::ShardedDataset::open(dataset_folder(), "test"),
                      {}};
    for (int64_t i = 0; i < data.train.size(); ++i)
      data.train_examples.push_back(i);
    for (int64_t i = 0; i < data.eval.size(); ++i)
      data.eval_examples.push_back(i);
    return data;
  }

 private:
  void write_vocabulary(int64_t size) const {
    std::ofstream vocabulary(model_folder() + "/vocab.txt");
    vocabulary << "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n.\n,\n!\n";
    for (char letter = 'a'; letter <= 'z'; ++letter)
      vocabulary << letter << "\n##" << letter << "\n";
    for (int64_t unused = 60; unused < size; ++unused)
      vocabulary << "[unused" << unused << "]\n";
  }

  TemporaryFolder folder_;
};

}  // namespace lockstep::tests
