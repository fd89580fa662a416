#include "launcher/checkpoint/resume_contract.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

#include "launcher/errors.h"
#include "launcher/train/train_inputs.h"
#include "launcher/train_options.h"

namespace lockstep {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(ResumeContract, TellsWhatChangedAndJudgesIt) {
  const RunFacts saved = {{"learning_rate", "5e-05"}, {"logging_steps", "500"}, {"max_steps", "8"}, {"seed", "42"}};
  RunFacts now = saved;
  EXPECT_THAT(changes_between(saved, now), IsEmpty());
  now["logging_steps"] = "1";
  EXPECT_NO_THROW(require_allowed(changes_between(saved, now), ""));
  now["learning_rate"] = "0.00005";
  EXPECT_NO_THROW(require_allowed(changes_between(saved, now), ""));
  now["learning_rate"] = "1e-05";
  const auto message = [&](const std::string& allowed) -> std::string {
    try {
      require_allowed(changes_between(saved, now), allowed);
    } catch (const SettingsError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message(""), HasSubstr("learning_rate: 5e-05 -> 1e-05"));
  EXPECT_THAT(message("seed"), HasSubstr("give --allow_change learning_rate"));
  EXPECT_EQ(message("learning_rate"), "");
  now["max_steps"] = "9";
  EXPECT_THAT(message("learning_rate"), HasSubstr("give --allow_change learning_rate,max_steps"));
  EXPECT_EQ(message("learning_rate, max_steps"), "");
  now["seed"] = "1";
  EXPECT_THAT(message("learning_rate,max_steps,seed"), HasSubstr("other values of seed"));
}

TEST(ResumeContract, AKeyThatNobodyJudgedNeedsPermission) {
  EXPECT_EQ(verdict_on_change("an_option_of_tomorrow"), ChangeVerdict::kNeedsPermission);
  EXPECT_EQ(verdict_on_change("world_of_tomorrow"), ChangeVerdict::kNeedsPermission);
}

TEST(ResumeContract, WholeNumbersDifferInTheirLastDigit) {
  EXPECT_EQ(changes_between({{"seed", "9007199254740992"}}, {{"seed", "9007199254740993"}}).size(), 1u);
  EXPECT_THAT(changes_between({{"max_steps", "05"}}, {{"max_steps", "5"}}), IsEmpty());
}

TEST(ResumeContract, AFactThatTheSavedRunDidNotNoteIsNotJudged) {
  EXPECT_NO_THROW(require_allowed(changes_between({}, {{"architecture", "12 heads, gelu"}}), ""));
  EXPECT_THROW(
      require_allowed(changes_between({{"architecture", "6 heads, gelu"}}, {{"architecture", "12 heads, gelu"}}), ""),
      SettingsError);
}

/// As docs/guide/resume.md has them.
const std::map<ChangeVerdict, std::set<std::string>> kJudgements = {
    {ChangeVerdict::kHarmless,
     {"attention_dropout",
      "config",
      "dataset",
      "ddp_backend",
      "ddp_bucket_cap_mb",
      "device",
      "disable_tqdm",
      "dropout",
      "eval_ranks",
      "global_batch_size",
      "gradient_accumulation_steps",
      "hang_timeout",
      "logging_steps",
      "model_name_or_path",
      "output_dir",
      "overwrite_output_dir",
      "per_device_eval_batch_size",
      "per_device_train_batch_size",
      "profile",
      "program",
      "published_results",
      "ranks",
      "save_steps",
      "save_strategy",
      "save_total_limit",
      "seq_classif_dropout",
      "threads",
      "threads_per_rank"}},
    {ChangeVerdict::kNeedsPermission,
     {"adam_beta1",
      "adam_beta2",
      "adam_epsilon",
      "architecture",
      "attn_implementation",
      "bf16",
      "ddp_comm_hook",
      "device_kind",
      "early_stopping_patience",
      "early_stopping_threshold",
      "effective_dropout",
      "eval_split",
      "eval_steps",
      "eval_strategy",
      "learning_rate",
      "load_best_model_at_end",
      "lr_scheduler_type",
      "max_eval_samples",
      "max_grad_norm",
      "max_seq_length",
      "max_steps",
      "num_train_epochs",
      "warmup_steps",
      "weight_decay"}},
    {ChangeVerdict::kRefused,
     {"data_set_sha256", "global_batch", "max_train_samples", "metric_for_best_model", "seed", "train_examples",
      "train_split", "vocabulary_sha256"}}};

std::set<std::string> options_of_train() {
  TrainOptions options;
  const auto app = make_train_app(options);
  std::set<std::string> keys;
  for (const CLI::Option* option : app->get_options())
    keys.insert(option->get_single_name());
  for (const char* of_one_start : {"help", "resume_from_checkpoint", "allow_change"})
    EXPECT_EQ(keys.erase(of_one_start), 1u) << of_one_start;
  return keys;
}

RunFacts facts_of_a_run() {
  TrainInputs inputs;
  inputs.options = parse_train_options(
      {"--model_name_or_path", "model", "--dataset", "reviews", "--eval_strategy", "steps"}, &inputs.settings);
  return facts_of(inputs, 2);
}

std::set<std::string> all_keys() {
  std::set<std::string> keys = options_of_train();
  for (const auto& [key, value] : facts_of_a_run())
    keys.insert(key);
  return keys;
}

TEST(ResumeContract, EveryOptionAndFactIsJudgedAsTold) {
  std::map<ChangeVerdict, std::set<std::string>> found;
  for (const std::string& key : all_keys())
    found[verdict_on_change(key)].insert(key);
  EXPECT_EQ(found, kJudgements);
}

TEST(ResumeContract, EveryKeyThatItNamesExists) {
  const std::set<std::string> keys = all_keys();
  for (const std::string& key : judged_keys())
    EXPECT_TRUE(keys.contains(key)) << key;
}

}  // namespace
}  // namespace lockstep
