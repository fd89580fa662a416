// The folder that a run writes, in the hands of transformers: the real base model, real reviews.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/end_to_end/program.h"
#include "tests/support/real_data.h"
#include "tests/support/require.h"
#include "tests/support/tiny_world.h"

namespace lockstep {
namespace {

using tests::environment;
using tests::imdb_archive;
using tests::minilm_folder;
using tests::run;

bool has_transformers() {
  return run(environment("LOCKSTEP_PYTHON") + " -c 'import transformers, torch'").exit_code == 0;
}

TEST(HuggingFace, TheRunFolderHasWhatTrainerWrites) {
  LOCKSTEP_NEEDS("transformers", has_transformers(), "the tests' Python has no transformers");
  const tests::TinyWorld world;
  const auto trained = tests::lockstep("train --model_name_or_path " + world.model_folder() + " --dataset " +
                                       world.dataset_folder() + " --output_dir " + world.path("run") +
                                       " --num_train_epochs 1 --logging_steps 2 --eval_strategy epoch");
  ASSERT_EQ(trained.exit_code, 0) << trained.output;
  const auto compared = run(environment("LOCKSTEP_PYTHON") + " " + environment("LOCKSTEP_SOURCE") +
                            "/tests/end_to_end/trainer_files.py " + world.path("run") + " " + world.path("theirs"));
  EXPECT_EQ(compared.exit_code, 0) << compared.output;
}

TEST(HuggingFace, PredictEqualsThePipelineOn300RealReviews) {
  LOCKSTEP_NEEDS("transformers", has_transformers(), "the tests' Python has no transformers");
  LOCKSTEP_NEEDS("imdb", !imdb_archive().empty(), "aclImdb_v1.tar.gz was not found");
  const tests::TemporaryFolder folder;
  const std::string data = folder / "data", model = folder / "run";
  const auto prepared = tests::lockstep("prepare --imdb " + imdb_archive().string() + " --model " +
                                        minilm_folder().string() + " --output " + data);
  ASSERT_EQ(prepared.exit_code, 0) << prepared.output;
  const auto trained = tests::mpirun(2, "train --model_name_or_path " + minilm_folder().string() + " --dataset " +
                                            data + " --output_dir " + model +
                                            " --max_train_samples 64 --global_batch_size 16 --max_seq_length 128 "
                                            "--num_train_epochs 1 --learning_rate 3e-4");
  ASSERT_EQ(trained.exit_code, 0) << trained.output;

  const std::string python = environment("LOCKSTEP_PYTHON"),
                    scripts = environment("LOCKSTEP_SOURCE") + "/tests/end_to_end/";
  const auto texts = run(python + " " + scripts + "reviews.py " + imdb_archive().string() + " 300 " +
                         (folder / "t.jsonl") + " " + (folder / "t.txt"));
  ASSERT_EQ(texts.exit_code, 0) << texts.output;
  const auto reference = run(python + " " + scripts + "classify.py " + model + " " + (folder / "t.jsonl") + " " +
                             (folder / "theirs.jsonl"));
  ASSERT_EQ(reference.exit_code, 0) << reference.output;
  const auto ours =
      tests::lockstep("predict --model_name_or_path " + model + " --format jsonl --file " + (folder / "t.txt"));
  ASSERT_EQ(ours.exit_code, 0) << ours.output;

  std::istringstream our_lines(ours.output), their_lines(tests::read_file(folder / "theirs.jsonl"));
  int compared = 0;
  for (std::string our_line, their_line; std::getline(our_lines, our_line) && std::getline(their_lines, their_line);
       ++compared) {
    const auto a = nlohmann::json::parse(our_line)["scores"], b = nlohmann::json::parse(their_line);
    // fp32 through six layers, summed in another order: 2e-5 is the bar for logits, and probabilities move less.
    EXPECT_NEAR(a["pos"].get<double>(), b["pos"].get<double>(), 2e-5) << "review " << compared;
  }
  EXPECT_EQ(compared, 300);
}

}  // namespace
}  // namespace lockstep
