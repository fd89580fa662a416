#include "launcher/cli/command_line.h"

#include <gtest/gtest.h>

#include <fstream>

#include "launcher/cli/foreign_options.h"
#include "launcher/cli/printable_text.h"
#include "launcher/errors.h"
#include "launcher/train_options.h"
#include "tests/support/process.h"

namespace lockstep {
namespace {

const std::vector<std::string> kRequired = {"--model_name_or_path", "m", "--dataset", "d"};

TrainOptions parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), kRequired.begin(), kRequired.end());
  return parse_train_options(arguments, nullptr);
}

std::string usage_error_of(const std::vector<std::string>& arguments) {
  try {
    parse(arguments);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no UsageError";
}

TEST(CommandLine, DefaultsAreHuggingFaceTrainers) {
  const TrainOptions options = parse({});
  EXPECT_EQ(options.per_device_train_batch_size, 8);
  EXPECT_EQ(options.learning_rate, 5e-5);
  EXPECT_EQ(options.num_train_epochs, 3.0);
  EXPECT_EQ(options.max_grad_norm, 1.0);
  EXPECT_EQ(options.logging_steps, 500);
  EXPECT_EQ(options.eval_strategy, "no");
  EXPECT_EQ(options.seed, 42u);
}

TEST(CommandLine, PrecisionAndGradientTrafficAreFloatUnlessAskedOtherwise) {
  EXPECT_FALSE(parse({}).bf16);
  EXPECT_EQ(parse({}).ddp_backend, "auto");
  EXPECT_EQ(parse({}).ddp_comm_hook, "no");
  const TrainOptions options = parse({"--bf16", "--ddp_backend", "nccl", "--ddp-comm-hook", "bf16"});
  EXPECT_TRUE(options.bf16);
  EXPECT_EQ(options.ddp_backend, "nccl");
  EXPECT_EQ(options.ddp_comm_hook, "bf16");
  EXPECT_NE(usage_error_of({"--ddp_backend", "gloo"}).find("--ddp_backend"), std::string::npos);
}

TEST(CommandLine, DashesAndUnderscoresAreTheSame) {
  EXPECT_EQ(parse({"--learning-rate", "1e-5"}).learning_rate, 1e-5);
  EXPECT_EQ(parse({"--learning-rate=1e-5"}).learning_rate, 1e-5);
  EXPECT_EQ(parse({"--learning_rate=1e-5"}).learning_rate, 1e-5);
}

TEST(CommandLine, ValuesKeepTheirDashes) {
  EXPECT_EQ(parse({"--output_dir", "a-b_c"}).output_dir, "a-b_c");
}

TEST(CommandLine, FormerNamesAreTaken) {
  EXPECT_EQ(parse({"--evaluation_strategy", "epoch"}).eval_strategy, "epoch");
}

TEST(CommandLine, AllUnknownOptionsAreListedAtOnceWithTheNearest) {
  const std::string error = usage_error_of({"--learning_rat", "1", "--epoch_count", "3", "--bacth_size=3", "--zzzzzz"});
  EXPECT_NE(error.find("--learning_rat; did you mean --learning_rate?"), std::string::npos) << error;
  EXPECT_NE(error.find("--epoch_count"), std::string::npos) << error;
  EXPECT_NE(error.find("--bacth_size"), std::string::npos) << error;
  EXPECT_NE(error.find("unknown option --zzzzzz\n"), std::string::npos) << error;
}

TEST(CommandLine, AValueOfTheWrongKindIsNamed) {
  const std::string error = usage_error_of({"--learning_rate", "fast"});
  EXPECT_NE(error.find("--learning_rate"), std::string::npos) << error;
}

TEST(CommandLine, TheLastOfSeveralIsMeant) {
  EXPECT_EQ(parse({"--seed", "1", "--seed", "2"}).seed, 2u);
}

TEST(CommandLine, NumbersThatNoRunCanMeanAreRefused) {
  for (const auto& [option, value] : {std::pair{"--num_train_epochs", "inf"},
                                      {"--num_train_epochs", "1e30"},
                                      {"--num_train_epochs", "0"},
                                      {"--warmup_steps", "1e30"},
                                      {"--weight_decay", "nan"},
                                      {"--max_grad_norm", "-1"},
                                      {"--threads", "-2"},
                                      {"--per_device_train_batch_size", "9223372036854775807"},
                                      {"--ddp_bucket_cap_mb", "1e300"},
                                      {"--learning_rate", "nan"},
                                      {"--dropout", "nan"},
                                      {"--eval_steps", "-4"},
                                      {"--seed", "-1"},
                                      {"--seed", "99999999999999999999"},
                                      {"--save_steps", "1_0"},
                                      {"--dropout", "1"},
                                      {"--dropout", "-0.5"},
                                      {"--adam_beta1", "1"},
                                      {"--adam_beta2", "-0.1"},
                                      {"--hang_timeout", "never"},
                                      {"--hang_timeout", "0.5"},
                                      {"--max_eval_samples", "0"}}) {
    const std::string error = usage_error_of({option, value});
    const std::string words = std::string(option) + ": found \"" + value + "\", expected ";
    EXPECT_NE(error.find(words), std::string::npos) << option << " " << value << ": " << error;
  }
}

TEST(CommandLine, ToResumeIsSaidInTrainersWordsAsWell) {
  for (const char* word : {"true", "True"})
    EXPECT_EQ(parse({"--resume_from_checkpoint", word}).resume_from_checkpoint, "auto") << word;
  for (const char* word : {"false", "False"})
    EXPECT_EQ(parse({"--resume_from_checkpoint", word}).resume_from_checkpoint, "never") << word;
}

TEST(CommandLine, WhatWouldHaveBeenRightIsSaid) {
  for (const auto& [option, value, words] :
       {std::tuple{"--seed", "-1", "expected a whole number of at least 0"},
        {"--seed", "99999999999999999999", "expected a whole number of at most 9223372036854775807"},
        {"--threads", "5000", "expected a whole number of at most 4096"},
        {"--threads", "few", "expected a whole number from 0 to 4096"},
        {"--learning_rate", "fast", "expected a number of at least 0"},
        {"--eval_strategy", "Epoch", "found \"Epoch\", expected one of no, epoch, steps"},
        {"--hang_timeout", "never", "expected a number of at least 1, auto or off"},
        {"--bf16=maybe", "", "--bf16: found \"maybe\", expected true or false"},
        {"--max_train_samples", "0", "expected a whole number of at least 1, or -1: all"}}) {
    const std::string error =
        usage_error_of(*value == '\0' ? std::vector<std::string>{option} : std::vector<std::string>{option, value});
    EXPECT_NE(error.find(words), std::string::npos) << option << " " << value << ": " << error;
  }
}

TEST(CommandLine, AnEmptyValueIsNoNumberAndNoPath) {
  TrainOptions options;
  const auto app = make_train_app(options);
  for (const CLI::Option* option : app->get_options()) {
    if (option->get_expected_max() == 0 || option->check_name("--config")) continue;
    const std::string name = "--" + option->get_lnames().front();
    EXPECT_NE(usage_error_of({name, ""}).find(name + ": found \"\" (empty), expected "), std::string::npos) << name;
    EXPECT_NE(usage_error_of({name + "="}).find(name + ": found \"\" (empty), expected "), std::string::npos) << name;
  }
}

TEST(CommandLine, AMissingValueIsSaidToBe) {
  auto arguments = kRequired;
  arguments.emplace_back("--seed");
  try {
    parse_train_options(arguments, nullptr);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("--seed: found nothing, expected a value"), std::string::npos)
        << error.what();
  }
}

TEST(CommandLine, FlagsTakeTheWordsTrueAndFalseAsTrainersDo) {
  EXPECT_TRUE(parse({"--bf16", "True"}).bf16);
  EXPECT_FALSE(parse({"--bf16", "false"}).bf16);
  EXPECT_FALSE(parse({"--bf16=False"}).bf16);
  EXPECT_EQ(parse({"--disable_tqdm", "TRUE", "--seed", "3"}).seed, 3u);
  EXPECT_EQ(parse({"--output_dir", "true"}).output_dir, "true");
}

TEST(CommandLine, SettingsWithoutEffectAreRefused) {
  EXPECT_NE(usage_error_of({"--save_steps", "5"}).find("--save_steps has no effect without --save_strategy steps"),
            std::string::npos);
  EXPECT_NE(usage_error_of({"--save-total-limit=2"}).find("--save_strategy steps"), std::string::npos);
  EXPECT_NE(usage_error_of({"--eval_steps", "5"}).find("--eval_strategy steps"), std::string::npos);
  EXPECT_NE(usage_error_of({"--metric_for_best_model", "f1"}).find("--eval_strategy epoch"), std::string::npos);
  EXPECT_NE(usage_error_of({"--max_eval_samples", "5"}).find("--eval_strategy epoch"), std::string::npos);
  EXPECT_NE(usage_error_of({"--eval_ranks", "all"}).find("--eval_strategy epoch"), std::string::npos);
  EXPECT_NE(usage_error_of({"--published_results", "p.csv"}).find("--eval_strategy epoch"), std::string::npos);
  EXPECT_NE(usage_error_of({"--early_stopping_threshold", "1"}).find("--early_stopping_patience"), std::string::npos);
  EXPECT_NE(usage_error_of({"--allow_change", "seed"}).find("--resume_from_checkpoint auto"), std::string::npos);
  EXPECT_EQ(parse({"--save_steps", "5", "--save_strategy", "no"}).save_steps, 5) << "said, and meant";
  EXPECT_EQ(parse({"--eval_steps", "5", "--evaluation_strategy", "steps"}).eval_steps, 5);
}

TEST(CommandLine, ABatchPerDeviceIsRefusedBesideOneOverAllRanks) {
  EXPECT_NE(usage_error_of({"--global_batch_size", "16", "--per_device_train_batch_size", "4"})
                .find("--per_device_train_batch_size has no effect with --global_batch_size 16"),
            std::string::npos);
  EXPECT_EQ(parse({"--global_batch_size", "0", "--per_device_train_batch_size", "4"}).per_device_train_batch_size, 4);
}

TEST(CommandLine, OptionsOfTrainerThatAreNotHereAreExplained) {
  for (const auto& [option, words] : {std::pair{"--lr", "unknown option --lr: here --learning_rate"},
                                      {"--fp16", "there is no fp16; --bf16"},
                                      {"--warmup-ratio", "here --warmup_steps below 1"},
                                      {"--report_to", "metrics.jsonl"},
                                      {"--train_file", "lockstep prepare"}})
    EXPECT_NE(usage_error_of({option, "1"}).find(words), std::string::npos) << usage_error_of({option, "1"});
  EXPECT_EQ(counterpart_of("prepare", "val_file"), "here --validation_file");
  EXPECT_NE(counterpart_of("launch", "partition").find("SBATCH_PARTITION"), std::string::npos);
}

TEST(CommandLine, WhatIsExplainedAsMissingIsNoOption) {
  TrainOptions options;
  const auto app = make_train_app(options);
  for (const CLI::Option* option : app->get_options())
    for (const std::string& name : option->get_lnames())
      EXPECT_EQ(counterpart_of("train", name), "") << name;
}

TEST(CommandLine, AllThatIsMissingAndAllThatIsTooMuchIsNamedAtOnce) {
  try {
    parse_train_options({"now", "please"}, nullptr);
    FAIL();
  } catch (const UsageError& error) {
    for (const char* part : {"--model_name_or_path", "--dataset", "stray word now", "stray word please"})
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
  EXPECT_NE(usage_error_of({"now"}).find("stray word now"), std::string::npos);
}

TEST(CommandLine, AMissingOptionIsNamed) {
  try {
    parse_train_options({"--dataset", "d"}, nullptr);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("model_name_or_path"), std::string::npos) << error.what();
  }
}

TEST(CommandLine, KeepingTheBestNeedsEvaluations) {
  EXPECT_NE(usage_error_of({"--load_best_model_at_end"}).find("--eval_strategy epoch"), std::string::npos);
}

TEST(CommandLine, HelpNamesEveryOptionWithItsDefault) {
  try {
    parse({"--help"});
    FAIL();
  } catch (const HelpRequested& help) {
    for (const char* part : {"--learning_rate", "5e-05", "--max_train_samples", "Examples:", "Exit codes:"})
      EXPECT_NE(help.text.find(part), std::string::npos) << part;
  }
}

class ConfigFile : public testing::Test {
 protected:
  std::string write(const std::string& text) {
    std::ofstream(folder_ / "c.toml") << text;
    return folder_ / "c.toml";
  }
  tests::TemporaryFolder folder_;
};

TEST_F(ConfigFile, SetsOptionsAndTheCommandLineWins) {
  const std::string path =
      write("learning_rate = 1e-5  # a comment\nseed = 7\neval_strategy = \"epoch\"\nload_best_model_at_end = true\n");
  const TrainOptions options = parse({"--seed", "9", "--config", path});
  EXPECT_EQ(options.learning_rate, 1e-5);
  EXPECT_EQ(options.seed, 9u);
  EXPECT_EQ(options.eval_strategy, "epoch");
  EXPECT_TRUE(options.load_best_model_at_end);
}

TEST_F(ConfigFile, UnknownKeysAreListedWithTheNearestAndTheFile) {
  const std::string path = write("learning_rates = 1e-5\nmax_step = 3\n");
  const std::string error = usage_error_of({"--config", path});
  EXPECT_NE(error.find("learning_rates in " + path + "; did you mean --learning_rate?"), std::string::npos) << error;
  EXPECT_NE(error.find("max_step in " + path + "; did you mean --max_steps?"), std::string::npos) << error;
}

TEST_F(ConfigFile, AFolderOrAnEmptyFileIsNoConfig) {
  EXPECT_NE(usage_error_of({"--config", "/tmp"}).find("--config /tmp"), std::string::npos);
  EXPECT_NE(usage_error_of({"--config", write("")}).find("is empty"), std::string::npos);
}

TEST_F(ConfigFile, TablesAreRefusedHoweverDeep) {
  EXPECT_NE(usage_error_of({"--config", write("[train]\nseed = 1\n")}).find("found a table"), std::string::npos);
  std::string deep = "[a";
  for (int i = 0; i < 100'000; ++i)
    deep += ".a";
  EXPECT_NE(usage_error_of({"--config", write(deep + "]\n")}).find("found a table"), std::string::npos);
}

TEST_F(ConfigFile, MistakesAreNamedWithTheirLine) {
  for (const auto& [text, words] :
       {std::pair{"seed = 1\n\nseed = 2\n", "c.toml, line 3: the key seed stands twice"},
        {"eval-steps = 1\neval_steps = 1\n", "line 2: the key eval_steps stands twice"},
        {"output_dir = 'a\n", "line 1: a quote is not closed"},
        {"seed = [1, 2]\n", "line 1: a list"},
        {" = 1\n", "line 1: expected \"key = value\", found no key"},
        {"learning_rate: 1e-4\n", "line 1: expected \"key = value\", found learning_rate: 1e-4"},
        {"learning rate = 1\n", "line 1: expected \"key = value\", found learning rate"}})
    EXPECT_NE(usage_error_of({"--config", write(text)}).find(words), std::string::npos) << text;
}

TEST_F(ConfigFile, QuotesCommentsAndKeysAloneAreRead) {
  const std::string path =
      write("; old style\n\"output-dir\" = 'a \"b\" # c'  # comment\n\tbf16\r\nseed=7#x\npublished_results=\n");
  const TrainOptions options = parse({"--config", path});
  EXPECT_EQ(options.output_dir, "a \"b\" # c");
  EXPECT_TRUE(options.bf16);
  EXPECT_EQ(options.seed, 7u);
}

TEST_F(ConfigFile, AnEmptyNumberIsRefusedAndAnEmptyTextIsNotGiven) {
  for (const char* text : {"learning_rate =\n", "learning_rate = \"\"\n"})
    EXPECT_NE(usage_error_of({"--config", write(text)}).find("--learning_rate: found \"\" (empty), expected a number"),
              std::string::npos);
  EXPECT_NE(usage_error_of({"--config", write("output_dir = ''\n")}).find("--output_dir: found"), std::string::npos);
  EXPECT_NE(usage_error_of({"--config", write("bf16 =\n")}).find("expected true or false"), std::string::npos);
  EXPECT_EQ(parse({"--config", write("allow_change = \"\"\n")}).allow_change, "");
}

TEST_F(ConfigFile, ASettingWithoutEffectMayStandBesideTheOneThatSaysSo) {
  const std::string path = write("save_strategy = \"no\"\nsave_steps = 5\n");
  EXPECT_EQ(parse({"--config", path}).save_steps, 5);
  EXPECT_NE(usage_error_of({"--config", path, "--save_steps", "6"}).find("has no effect"), std::string::npos);
  EXPECT_NE(usage_error_of({"--config", write("save_steps = 5\n")}).find("has no effect"), std::string::npos);
}

TEST_F(ConfigFile, OfARunMayHoldBothBatchSizesAndTakesNoSmallerOnePerDevice) {
  const std::string path = write("global_batch_size = 16\nper_device_train_batch_size = 8\n");
  EXPECT_EQ(parse({"--config", path}).global_batch_size, 16);
  EXPECT_EQ(parse({"--config", path, "--global_batch_size", "32"}).global_batch_size, 32);
  EXPECT_NE(usage_error_of({"--config", path, "--per_device_train_batch_size", "4"}).find("has no effect"),
            std::string::npos);
}

TEST_F(ConfigFile, AFileOfMoreThanAMegabyteIsRefused) {
  EXPECT_NE(usage_error_of({"--config", write(std::string(2 << 20, '#'))}).find("more than 1048576 bytes"),
            std::string::npos);
}

TEST_F(ConfigFile, AValueMayHoldWhatBeginsACommentOrAList) {
  for (const char* folder : {"runs/#1", "[a], b = 'c' # d", "a, b", "it's", "#"}) {
    std::string effective;
    auto arguments = kRequired;
    arguments.insert(arguments.end(), {"--output_dir", folder});
    parse_train_options(arguments, &effective);
    EXPECT_EQ(parse_train_options({"--config", write(effective)}, nullptr).output_dir, folder) << effective;
  }
}

TEST_F(ConfigFile, AMissingFileIsNamed) {
  EXPECT_NE(usage_error_of({"--config", "/nowhere/c.toml"}).find("/nowhere/c.toml"), std::string::npos);
}

TEST_F(ConfigFile, EffectiveSettingsStartTheSameRunAgain) {
  std::string effective, again;
  auto arguments = kRequired;
  arguments.insert(arguments.end(), {"--learning_rate", "3e-5", "--overwrite_output_dir", "--output_dir", "a b"});
  parse_train_options(arguments, &effective);
  const TrainOptions options = parse_train_options({"--config", write(effective)}, &again);
  EXPECT_EQ(effective, again);
  EXPECT_EQ(options.output_dir, "a b");
  EXPECT_TRUE(options.overwrite_output_dir);
}

TEST_F(ConfigFile, EveryRecipeOfTheRepositoryParses) {
  for (const char* recipe : {"quickstart", "imdb_reference", "imdb_full"}) {
    const std::string path = tests::environment("LOCKSTEP_SOURCE") + "/configs/" + recipe + ".toml";
    EXPECT_NO_THROW(parse({"--config", path})) << recipe;
  }
}

TEST(PrintableText, WhatChangesTheDirectionOfTextIsShown) {
  EXPECT_EQ(printable_text("a\xE2\x80\xAEtxt\xE2\x81\xA6.exe\xE2\x80\x8F"), "a\\u202etxt\\u2066.exe\\u200f");
  EXPECT_EQ(printable_text("\xE2\x80\xA8"), "\\u2028");
}

TEST(PrintableText, WhatIsNotUtf8IsShownByteByByte) {
  EXPECT_EQ(printable_text(std::string("a\0b", 3) + "\xFF\x9B\xE2\x80"), "a\\x00b\\xff\\x9b\\xe2\\x80");
}

TEST(PrintableText, LettersOfAllScriptsStayAsTheyAre) {
  const std::string text = "caf\xC3\xA9 \xE4\xB8\xAD\xE6\x96\x87 \xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D \xF0\x9F\x98\x80";
  EXPECT_EQ(printable_text(text), text);
}

TEST(PrintableText, LinesOfAMessageStayLines) {
  EXPECT_EQ(printable_lines("a\n  b\r\x1b[2J"), "a\n  b\\x0d\\x1b[2J");
}

TEST(PrintableText, ControlCharactersAreShownNotSent) {
  EXPECT_EQ(printable_text("a\x1b[31mb\r\n\x7f"), "a\\x1b[31mb\\x0d \\x7f");
  EXPECT_EQ(printable_text("caf\xc3\xa9 \xc2\x9b"
                           "0m"),
            "caf\xc3\xa9 \\x9b0m");
}

}  // namespace
}  // namespace lockstep
