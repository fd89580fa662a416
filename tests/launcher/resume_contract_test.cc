#include "launcher/checkpoint/resume_contract.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "launcher/errors.h"
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

TEST(ResumeContract, EveryOptionThatItNamesExists) {
  TrainOptions options;
  const auto app = make_train_app(options);
  std::vector<std::string> facts = {"data_set_sha256", "vocabulary_sha256", "global_batch", "train_examples",
                                    "ranks",           "threads_per_rank",  "program",      "config"};
  for (const std::string& key : judged_keys()) {
    const bool is_fact = std::find(facts.begin(), facts.end(), key) != facts.end();
    EXPECT_TRUE(is_fact || app->get_option_no_throw("--" + key) != nullptr) << key;
  }
}

}  // namespace
}  // namespace lockstep
