// make_world FOLDER tiny|distilbert: a model of that size with weights from a seed (FOLDER/model) and texts that it can
// learn to tell apart (FOLDER/train.csv), for machines that nothing can be downloaded to.
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "model/weights.h"

namespace {

using lockstep::model::DistilBertConfig;

DistilBertConfig config_of(bool tiny) {
  DistilBertConfig config;
  config.labels = {"neg", "pos"};
  if (!tiny) return config;
  config.vocab_size = 1000;
  config.n_layers = 2;
  config.n_heads = 4;
  config.dim = 64;
  config.hidden_dim = 128;
  return config;
}

/// Words w0, w1, ...; each is one token.
void write_vocabulary(const std::filesystem::path& file, int64_t size) {
  std::ofstream vocabulary(file);
  vocabulary << "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (int64_t word = 0; word < size - 5; ++word)
    vocabulary << 'w' << word << '\n';
}

/// 20 to 250 random words each; half of them come from the label's own ten.
void write_texts(const std::filesystem::path& file) {
  constexpr int kTexts = 4096;
  std::mt19937 random(7);
  std::ofstream texts(file);
  texts << "text,label\n";
  for (int text = 0; text < kTexts; ++text) {
    const bool positive = text % 2 == 1;
    for (auto words = 20 + random() % 231; words > 0; --words) {
      const bool telling = random() % 2 == 0;
      texts << 'w' << (telling ? random() % 10 + (positive ? 10 : 0) : 20 + random() % 900) << (words > 1 ? " " : "");
    }
    texts << (positive ? ",pos\n" : ",neg\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || (std::strcmp(argv[2], "tiny") != 0 && std::strcmp(argv[2], "distilbert") != 0)) {
    std::fprintf(stderr, "Usage: make_world FOLDER tiny|distilbert\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const DistilBertConfig config = config_of(std::strcmp(argv[2], "tiny") == 0);
  std::filesystem::create_directories(folder / "model");
  write_vocabulary(folder / "model" / "vocab.txt", config.vocab_size);
  write_texts(folder / "train.csv");
  lockstep::model::DistilBert model(config, "cpu");
  model.initialize(7, false);
  lockstep::model::save_weights(model, folder / "model");
}
