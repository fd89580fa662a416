#include <gtest/gtest.h>

#include "tests/end_to_end/program.h"
#include "tests/support/require.h"
#include "tests/support/tiny_world.h"

namespace lockstep {
namespace {

/// A model whose backward pass takes far longer than a thread needs to wake up, in several buckets.
std::string write_larger_model(const tests::TinyWorld& world) {
  model::DistilBertConfig config = tests::TinyWorld::config();
  config.n_layers = 4;
  config.dim = 256;
  config.hidden_dim = 1024;
  model::DistilBert model(config, "cpu");
  model.initialize(7, false);
  std::string folder = world.path("larger_model");
  std::filesystem::create_directories(folder);
  model::save_weights(model, folder);
  std::filesystem::copy(world.model_folder() + "/vocab.txt", folder);
  return folder;
}

TEST(Trace, OfTwoRanksShowsReductionsWhileBackwardRuns) {
  const std::string python = tests::environment("LOCKSTEP_PYTHON");
  LOCKSTEP_NEEDS("python", tests::run(tests::quoted(python) + " -c ''").exit_code == 0,
                 "no Python starts as " + python);
  const tests::TinyWorld world;
  const std::string file = world.path("run/profile.json");
  const tests::Outcome trained =
      tests::mpirun(2, "train --model_name_or_path " + write_larger_model(world) + " --dataset " +
                           world.dataset_folder() + " --output_dir " + world.path("run") +
                           " --global_batch_size 16 --max_steps 5 --max_seq_length 48 --ddp_bucket_cap_mb 2" +
                           " --eval_strategy steps --eval_steps 4 --profile 3");
  ASSERT_EQ(trained.exit_code, 0) << trained.output;
  EXPECT_NE(trained.output.find("the profile is in " + file), std::string::npos) << trained.output;
  const tests::Outcome checked = tests::run(tests::quoted(python) + " " + tests::environment("LOCKSTEP_SOURCE") +
                                            "/tests/end_to_end/check_trace.py " + file + " 2 4");
  EXPECT_EQ(checked.exit_code, 0) << checked.output;
}

}  // namespace
}  // namespace lockstep
